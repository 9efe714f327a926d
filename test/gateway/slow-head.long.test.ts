import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RawConnection } from '../helpers/raw-connection.ts'
import { runGateway } from '../helpers/running-gateway.ts'

test('a head that drips in is refused with 408 within 40 seconds, and so is a connection that says nothing', async () => {
  await using running = await runGateway()
  await using dripping = await RawConnection.open(running.port)
  await using silent = await RawConnection.open(running.port)
  dripping.send('GET /v2/ HTTP/1.1\r\nHost: a\r\n')
  const drip = setInterval(() => dripping.send('X-A: 1\r\n'), 1000)
  const started = performance.now()
  const answer = await dripping.answer()
  clearInterval(drip)
  assert.equal(answer.status, 408)
  assert.match(answer.body.toString(), /"code":"BAD_REQUEST"/)
  assert.equal((await silent.answer()).status, 408)
  assert.ok(performance.now() - started < 40_000)
})
