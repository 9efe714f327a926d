import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { GrowingUpstream } from '../helpers/growing-upstream.ts'
import { ask, type Question } from '../helpers/https-client.ts'
import { descriptorsFallTo } from '../helpers/open-descriptors.ts'
import { RawConnection } from '../helpers/raw-connection.ts'
import { certificate, runGateway, type GatewaySettings, type RunningGateway } from '../helpers/running-gateway.ts'

const size = 1024 * 1024 + 3
const bytes = Buffer.from(Array.from({ length: size }, (_, index) => (index * 31 + (index >> 8)) & 255))

interface Running extends RunningGateway {
  readonly upstream: GrowingUpstream
}

async function withGrowing(content: Buffer = bytes, config: GatewaySettings['config'] = {}): Promise<Running> {
  const upstream = new GrowingUpstream(content)
  const running = await runGateway({ upstream: upstream.answer, config })
  upstream.begin(running.files)
  return { ...running, upstream }
}

const path = '/v2/x/blobs/y'

async function get({ port }: RunningGateway, question: Question = {}) {
  return await ask(certificate.cert, `https://localhost:${port}${path}`, question)
}

/** A client whose question has come to the upstream. */
async function client({ port, upstream }: Running, headers = ''): Promise<RawConnection> {
  const connection = await RawConnection.open(port)
  const before = upstream.requests.length
  connection.send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`)
  await upstream.asked(before + 1)
  return connection
}

test('a file that grows is sent as it grows, and ends when the upstream has verified it', async () => {
  await using running = await withGrowing()
  const { upstream } = running
  await using reader = await client(running)
  await reader.receiveBody(0) // the head does not wait for bytes
  upstream.grow(10)
  upstream.grow(300_000)
  await reader.receiveBody(300_000)
  upstream.grow(size)
  await reader.receiveBody(size - 1)
  upstream.finish()
  const answer = await reader.answer()
  assert.equal(answer.status, 200)
  assert.equal(answer.header('content-length'), String(size))
  assert.deepEqual(answer.body, bytes)
})

test('neither side is shown how the file is sent', async () => {
  await using running = await withGrowing()
  const { upstream } = running
  const asked = get(running, {
    headers: { 'X-Sendfile-Growing': '/etc/passwd', 'X-Sendfile-Length': '7', 'X-Sendfile': '/etc/passwd' },
  })
  await upstream.asked(1)
  upstream.grow(size)
  upstream.finish()
  const { date, 'x-request-id': id, ...others } = (await asked).headers
  assert.ok(date && id)
  assert.deepEqual(others, {
    'content-type': 'application/octet-stream',
    etag: '"sha256:abc"',
    'accept-ranges': 'bytes',
    'content-length': String(size),
    connection: 'keep-alive',
    'keep-alive': 'timeout=75',
  })
  const names = Object.keys(upstream.requests[0]?.headers ?? {}).filter((name) => name.startsWith('x-sendfile'))
  assert.deepEqual(names, ['x-sendfile-type'])
})

for (const [name, first, last] of [
  ['in front', 0, 9],
  ['in the middle', 400_000, 700_000],
  ['at the end', size - 10, size - 1],
] as const)
  test(`a range ${name} waits for its bytes`, async () => {
    await using running = await withGrowing()
    const { upstream } = running
    await using reader = await client(running, `Range: bytes=${first}-${last}\r\n`)
    await reader.receiveBody(0)
    upstream.grow(first + 1)
    upstream.grow(size)
    upstream.finish()
    const answer = await reader.answer()
    assert.equal(answer.status, 206)
    assert.equal(answer.header('content-range'), `bytes ${first}-${last}/${size}`)
    assert.deepEqual(answer.body, bytes.subarray(first, last + 1))
  })

test('a range that is there is answered at once, and the upstream need tell no more', async () => {
  await using running = await withGrowing()
  const { upstream } = running
  upstream.grow(1000)
  const { status, body } = await get(running, { headers: { Range: 'bytes=0-999' } })
  assert.equal(status, 206)
  assert.deepEqual(body, bytes.subarray(0, 1000))
  await upstream.left(1)
})

for (const [headers, status] of [
  [{ 'If-None-Match': '"sha256:abc"' }, 304],
  [{ 'If-Match': '"other"' }, 412],
  [{ Range: `bytes=${size}-` }, 416],
] as const)
  test(`${JSON.stringify(headers)} is answered with ${status} before anything is there`, async () => {
    await using running = await withGrowing()
    const answer = await get(running, { headers })
    assert.equal(answer.status, status)
    if (status === 416) assert.equal(answer.headers['content-range'], `bytes */${size}`)
    await running.upstream.left(1)
  })

test('32 clients that come at any time have the same bytes', async () => {
  await using running = await withGrowing()
  const { upstream } = running
  const answers = []
  for (let count = 1; count <= 32; count++) {
    answers.push(get(running))
    await upstream.asked(count)
    upstream.grow(Math.floor((size * count) / 33))
  }
  upstream.move()
  upstream.grow(size)
  upstream.finish()
  for (const { status, body } of await Promise.all(answers)) {
    assert.equal(status, 200)
    assert.equal(sha256(body), sha256(bytes))
  }
  await descriptorsFallTo(0, (name) => name.startsWith(running.files) && name.endsWith('blob'))
})

for (const [name, written] of [
  ['in the middle', 500_000],
  ['at the very end', size],
] as const)
  for (const how of ['breakOff', 'end'] as const)
    test(`a transfer that fails ${name} (${how}) is complete for nobody`, async () => {
      await using running = await withGrowing()
      const { upstream } = running
      await using first = await client(running)
      await using second = await client(running, `Range: bytes=100-\r\n`)
      upstream.grow(written)
      const sent = Math.min(written, size - 1)
      await first.receiveBody(sent)
      await second.receiveBody(sent - 100)
      upstream[how]()
      for (const [reader, from] of [
        [first, 0],
        [second, 100],
      ] as const) {
        const answer = await reader.answer()
        assert.equal(answer.complete, false)
        assert.deepEqual(answer.body, bytes.subarray(from, sent))
      }
      await descriptorsFallTo(0, (name) => name === join(running.files, 'growing'))
    })

test('a failure breaks off what a client has not read yet', async () => {
  const large = Buffer.alloc(32 * 1024 * 1024)
  await using running = await withGrowing(large)
  const { upstream } = running
  await using reader = await client(running)
  upstream.grow(large.length)
  await reader.receiveBody(1000)
  reader.socket.pause()
  upstream.breakOff()
  await descriptorsFallTo(0, (name) => name === join(running.files, 'growing'))
  reader.socket.resume()
  assert.equal((await reader.answer()).complete, false)
})

for (const [name, progress] of [
  ['falls', '1000\n999\n'],
  ['says more than there will be', `${size + 1}\n`],
  ['is no number', 'much\n'],
  ['is no line', '1'.repeat(100)],
] as const)
  test(`a progress that ${name} breaks the answer off`, async () => {
    await using running = await withGrowing()
    const { upstream } = running
    await using reader = await client(running)
    upstream.write(1000)
    for (const part of progress.split(/(?<=\n)/)) {
      upstream.tell(part)
      if (part === '1000\n') await reader.receiveBody(1000)
    }
    assert.equal((await reader.answer()).complete, false)
  })

test('a line that comes in two pieces is one number', async () => {
  await using running = await withGrowing()
  const { upstream } = running
  await using reader = await client(running)
  upstream.write(size)
  upstream.tell('1')
  upstream.tell('00')
  upstream.tell('0\n')
  await reader.receiveBody(1000)
  upstream.finish()
  assert.deepEqual((await reader.answer()).body, bytes)
})

test('what is verified is sent whole, although the progress breaks off then', async () => {
  const large = Buffer.alloc(6 * 1024 * 1024)
  await using running = await withGrowing(large)
  const { upstream } = running
  await using reader = await client(running)
  upstream.grow(large.length)
  await reader.receiveBody(1)
  reader.socket.pause()
  upstream.tell(`${large.length}\n`)
  upstream.breakOff()
  await upstream.left(1)
  reader.socket.resume()
  assert.equal((await reader.answer()).complete, true)
})

test('a file that is moved in the middle goes on, for old clients and new', async () => {
  await using running = await withGrowing()
  const { upstream } = running
  upstream.grow(1000)
  await using before = await client(running)
  await before.receiveBody(1000)
  upstream.move()
  await using after = await client(running)
  await after.receiveBody(1000)
  upstream.grow(size)
  upstream.finish()
  for (const reader of [before, after]) assert.deepEqual((await reader.answer()).body, bytes)
})

test('a file that was moved before it was opened is found at its place', async () => {
  const upstream = new GrowingUpstream(bytes)
  const answer: RequestListener = (request, response) => {
    upstream.answer(request, response)
    upstream.move()
    upstream.finish()
  }
  await using running = await runGateway({ upstream: answer })
  upstream.begin(running.files)
  upstream.grow(size)
  assert.deepEqual((await get(running)).body, bytes)
})

test('a file that is in neither place is a gateway’s failure', async () => {
  await using running = await withGrowing()
  running.upstream.remove()
  const answer = await get(running)
  assert.equal(answer.status, 502)
  assert.match(answer.text(), /"code":"UNAVAILABLE"/)
  assert.doesNotMatch(answer.text(), /growing/)
  await running.upstream.left(1)
})

test('a file that is deleted meanwhile is read on; one that is shorter than told breaks the answer off', async () => {
  await using running = await withGrowing()
  const { upstream } = running
  await using reader = await client(running)
  upstream.grow(1000)
  await reader.receiveBody(1000)
  upstream.write(2000)
  upstream.remove()
  upstream.tell('2000\n')
  await reader.receiveBody(2000)
  upstream.tell('3000\n')
  const answer = await reader.answer()
  assert.equal(answer.complete, false)
  assert.deepEqual(answer.body, bytes.subarray(0, 2000))
})

test('a growing file outside of the roots is not sent', async () => {
  const outside = await mkdtemp(join(tmpdir(), 'caisson-outside-'))
  await writeFile(join(outside, 'secret'), 'secret')
  await using running = await runGateway({
    upstream: (_request, response) => {
      const place = join(outside, 'secret')
      response.writeHead(200, {
        ETag: '"x"',
        'X-Sendfile': place,
        'X-Sendfile-Growing': place,
        'X-Sendfile-Length': 6,
      })
      response.end('6\n')
    },
  })
  assert.equal((await get(running)).status, 502)
  await rm(outside, { recursive: true })
})

for (const length of [undefined, '', '-1', '1e3', '99999999999999999'] as const)
  test(`a growing file of length ${length} is refused`, async () => {
    await using running = await runGateway({
      upstream: (_request, response) => {
        if (length !== undefined) response.setHeader('X-Sendfile-Length', length)
        response.writeHead(200, { ETag: '"x"', 'X-Sendfile': '/x', 'X-Sendfile-Growing': '/x' })
        response.flushHeaders()
      },
    })
    assert.equal((await get(running)).status, 502)
  })

test('an empty blob is not complete before it is verified', async () => {
  await using running = await withGrowing(Buffer.alloc(0))
  const { upstream } = running
  const asked = get(running)
  await upstream.asked(1)
  upstream.breakOff()
  assert.equal((await asked).status, 502)

  const again = get(running)
  await upstream.asked(2)
  upstream.finish()
  const { status, headers } = await again
  assert.deepEqual([status, headers['content-length']], [200, '0'])
})

test('a client that leaves ends its part of the progress and nobody else’s', async () => {
  await using running = await withGrowing()
  const { upstream } = running
  await using staying = await client(running)
  const leaving = await client(running)
  upstream.grow(1000)
  await leaving.receiveBody(1000)
  leaving.socket.destroy()
  await upstream.left(1)
  upstream.grow(size)
  upstream.finish()
  assert.deepEqual((await staying.answer()).body, bytes)
  assert.ok(!running.messages.some((line) => line.includes('could not be sent')))
})

test('a progress that stands still for the idle time is ended, and so is the answer', async () => {
  await using running = await withGrowing(bytes, { idleTimeoutSeconds: 1 })
  const { upstream } = running
  await using reader = await client(running)
  upstream.grow(1000)
  assert.equal((await reader.answer()).complete, false)
  await upstream.left(1)
})

test('a client that waits for its range is not idle while the file grows', async () => {
  await using running = await withGrowing(bytes, { idleTimeoutSeconds: 1 })
  const { upstream } = running
  await using reader = await client(running, `Range: bytes=${size - 10}-\r\n`)
  for (let count = 1; count <= 8; count++) {
    upstream.grow(count * 1000)
    await setTimeout(300)
  }
  upstream.grow(size)
  upstream.finish()
  assert.deepEqual((await reader.answer()).body, bytes.subarray(-10))
})

test('a client that reads nothing is ended, although the file grows', async () => {
  const large = Buffer.alloc(64 * 1024 * 1024)
  await using running = await withGrowing(large, { idleTimeoutSeconds: 1 })
  const { upstream } = running
  await using reader = await client(running)
  reader.socket.pause()
  upstream.grow(large.length)
  const growth = setInterval(() => upstream.grow(large.length), 200)
  await upstream.left(1)
  clearInterval(growth)
  await descriptorsFallTo(0, (name) => name === join(running.files, 'growing'))
})

test('the connection to the upstream is used again after a whole file', async () => {
  await using running = await withGrowing()
  const { upstream } = running
  upstream.grow(size)
  for (let count = 1; count <= 2; count++) {
    const asked = get(running)
    await upstream.asked(count)
    upstream.finish()
    assert.equal((await asked).body.length, size)
    await upstream.left(count)
  }
  assert.equal(upstream.requests[0]?.socket, upstream.requests[1]?.socket)
})

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}
