import assert from 'node:assert/strict'
import { readFile, rename } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { loggedTarget } from '../../gateway/logged-target.ts'
import { RawConnection } from '../helpers/raw-connection.ts'
import { runGateway, type RunningGateway } from '../helpers/running-gateway.ts'

const ok: RequestListener = (_request, response) => response.end('hello')

async function say({ port }: RunningGateway, text: string): Promise<void> {
  await using client = await RawConnection.open(port)
  await client.send(text).answer()
}

test('combined: who, when, what, the status, the bytes of the body, and by whose word', async () => {
  await using running = await runGateway({ upstream: ok })
  await say(running, 'GET /v2/x/tags/list?n=1 HTTP/1.1\r\nHost: a\r\nReferer: r\r\nUser-Agent: docker/29 "q"\r\n\r\n')
  const lines = await running.accessLog()
  assert.equal(lines.length, 1)
  assert.match(
    lines[0] ?? '',
    /^127\.0\.0\.1 - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/v2\/x\/tags\/list\?n=1 HTTP\/1\.1" 200 5 "r" "docker\/29 \\"q\\""$/,
  )
})

test('json: all that is known of the request', async () => {
  const accessLog = { format: 'json' as const, file: '' }
  await using base = await runGateway()
  accessLog.file = join(base.directory, 'json.log')
  await using running = await runGateway({
    upstream: (_request, response) => response.end('hello'),
    config: { listeners: [{ port: 0, repository: 'docker-local' }], accessLog },
  })
  await say(running, 'POST /v2/x/blobs/uploads/?_state=s HTTP/1.1\r\nHost: a:5001\r\nContent-Length: 4\r\n\r\nbody')
  await running.gateway.stop()
  const { time, bytesIn, durationMs, upstreamMs, requestId, ...entry } = JSON.parse(
    await readFile(accessLog.file, 'utf8'),
  ) as Record<string, unknown>
  assert.ok(!Number.isNaN(Date.parse(String(time))))
  assert.equal(bytesIn, 84)
  assert.ok(Number(durationMs) >= Number(upstreamMs) && Number(upstreamMs) > 0)
  assert.match(String(requestId), /^[0-9a-f-]{36}$/)
  assert.deepEqual(entry, {
    remote: '127.0.0.1',
    host: 'a:5001',
    repository: 'docker-local',
    method: 'POST',
    path: '/v2/x/blobs/uploads/?_state=-',
    status: 200,
    bytesOut: 5,
    tls: 'TLSv1.3',
    aborted: false,
  })
})

test('after the file was moved away, reopening continues in a new one', async () => {
  await using running = await runGateway({ upstream: ok })
  const file = join(running.directory, 'access.log')
  await say(running, 'GET /v2/before HTTP/1.1\r\nHost: a\r\n\r\n')
  await rename(file, `${file}.1`)
  running.gateway.reopenLogs()
  await say(running, 'GET /v2/after HTTP/1.1\r\nHost: a\r\n\r\n')
  const after = await running.accessLog()
  const before = await readFile(`${file}.1`, 'utf8')
  assert.match([before, ...after].join('\n'), /before[^]*after/)
  assert.match(after.join('\n'), /after/)
})

test('without a file nothing is written', async () => {
  await using running = await runGateway({
    upstream: ok,
    config: { listeners: [{ port: 0, repository: 'a' }], accessLog: { file: 'off' } },
  })
  await say(running, 'GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n')
})

const redactions: readonly (readonly [string, string])[] = [
  ['/v2/', '/v2/'],
  ['/v2/x/blobs/uploads/1?_state=secret&digest=sha256:ab', '/v2/x/blobs/uploads/1?_state=-&digest=sha256:ab'],
  ['/v2/token?service=x&account=a&password=p', '/v2/token?-'],
  ['/artifactory/api/docker/k/v2/token?scope=a', '/artifactory/api/docker/k/v2/token?-'],
  ['/v1/auth?x=1', '/v1/auth?-'],
  ['/v2/x/blobs/uploads/?mount=sha256:a&from=y/z', '/v2/x/blobs/uploads/?mount=sha256:a&from=y/z'],
  ['/v2/x?X-Amz-Signature=secret', '/v2/x?X-Amz-Signature=-'],
  ['/v2/x?flag', '/v2/x?flag'],
  ['/a"b\\c\u00e9', '/a\\"b\\\\c\\xc3\\xa9'],
]
for (const [target, logged] of redactions) {
  test(`${target} is logged as ${logged}`, () => assert.equal(loggedTarget(target), logged))
}
