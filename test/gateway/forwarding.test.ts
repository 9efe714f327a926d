import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type IncomingMessage, type RequestListener } from 'node:http'
import { request } from 'node:https'
import type { Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { ask } from '../helpers/https-client.ts'
import { HashingSink, patternBytes } from '../helpers/pattern-bytes.ts'
import { RawConnection } from '../helpers/raw-connection.ts'
import { certificate, runGateway } from '../helpers/running-gateway.ts'

const mebi = 1024 * 1024

/** Says how many bytes came and their hash, and how their length was announced. */
const hashing: RequestListener = (incoming, response) => {
  const sink = new HashingSink()
  void pipeline(incoming, sink).then(() => {
    const { 'content-length': length, 'transfer-encoding': coding } = incoming.headers
    response.end(JSON.stringify({ bytes: sink.bytes, sha256: sink.sha256(), length, coding }))
  })
}

async function hashOf(size: number): Promise<string> {
  const sink = new HashingSink()
  await pipeline(patternBytes(size), sink)
  return sink.sha256()
}

function open(port: number, method: string, headers: Record<string, string | number> = {}) {
  return request({
    port,
    host: '127.0.0.1',
    method,
    path: '/v2/x/blobs/uploads/1',
    ca: certificate.cert,
    servername: 'localhost',
    headers,
  })
}

for (const framing of ['Content-Length', 'chunked'] as const) {
  test(`a large body sent with ${framing} reaches the upstream whole, framed the same way`, async () => {
    await using running = await runGateway({ upstream: hashing })
    const size = 40 * mebi + 1
    const sent = open(running.port, 'PATCH', framing === 'chunked' ? {} : { 'Content-Length': size })
    const answered = once(sent, 'response')
    await pipeline(patternBytes(size), sent)
    const [answer] = (await answered) as [IncomingMessage]
    const seen = JSON.parse((await answer.toArray()).join('')) as Record<string, unknown>
    assert.equal(seen['bytes'], size)
    assert.equal(seen['sha256'], await hashOf(size))
    assert.equal(seen['length'], framing === 'chunked' ? undefined : String(size))
    assert.equal(seen['coding'], framing === 'chunked' ? 'chunked' : undefined)
  })

  test(`a large answer sent with ${framing} reaches the client whole, framed the same way`, async () => {
    const size = 40 * mebi + 1
    await using running = await runGateway({
      upstream: (_incoming, response) => {
        if (framing === 'Content-Length') response.setHeader('Content-Length', size)
        void pipeline(patternBytes(size), response)
      },
    })
    const [answer] = (await once(open(running.port, 'GET').end(), 'response')) as [IncomingMessage]
    assert.equal(answer.headers['content-length'], framing === 'chunked' ? undefined : String(size))
    const sink = new HashingSink()
    await pipeline(answer, sink)
    assert.equal(sink.bytes, size)
    assert.equal(sink.sha256(), await hashOf(size))
  })
}

test('a client that reads slowly holds the upstream back, and gets everything', async () => {
  const size = 64 * mebi
  let taken = 0
  await using running = await runGateway({
    upstream: (_incoming, response) => {
      response.setHeader('Content-Length', size)
      const source = patternBytes(size).on('data', (chunk: Buffer) => (taken += chunk.length))
      void pipeline(source, response)
    },
  })
  const [answer] = (await once(open(running.port, 'GET').end(), 'response')) as [IncomingMessage]
  answer.pause()
  await settled(() => taken)
  // Buffers of two connections, in the kernel and in the processes; a gateway that does not hold back has it all.
  assert.ok(taken < 24 * mebi, `${taken} bytes were taken`)
  const sink = new HashingSink()
  await pipeline(answer, sink)
  assert.equal(sink.bytes, size)
})

test('an upstream that reads slowly holds the client back, and gets everything', async () => {
  const size = 64 * mebi
  const arrived = Promise.withResolvers<IncomingMessage>()
  await using running = await runGateway({
    upstream: (incoming, response) => {
      arrived.resolve(incoming)
      incoming.on('end', () => response.end())
    },
  })
  let given = 0
  const sent = open(running.port, 'PUT', { 'Content-Length': size })
  const answered = once(sent, 'response')
  const source = patternBytes(size).on('data', (chunk: Buffer) => (given += chunk.length))
  const done = pipeline(source, sent)
  const incoming = await arrived.promise
  await settled(() => given)
  assert.ok(given < 24 * mebi, `${given} bytes were given`)
  const sink = new HashingSink()
  await pipeline(incoming, sink)
  await Promise.all([done, answered])
  assert.equal(sink.bytes, size)
})

test('a request without a body has none upstream, neither chunked nor of unknown length', async () => {
  await using running = await runGateway({
    upstream: (incoming, response) => {
      const { 'content-length': length, 'transfer-encoding': coding } = incoming.headers
      response.end(JSON.stringify({ length, coding }))
    },
  })
  for (const [method, expected] of [
    ['GET', {}],
    ['DELETE', { length: '0' }],
    ['POST', { length: '0' }],
  ] as const) {
    await using client = await RawConnection.open(running.port)
    client.send(`${method} /v2/x/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    assert.deepEqual((await client.answer()).json(), expected, method)
  }
})

const upload = (extra: string) =>
  `PUT /v2/x/blobs/uploads/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n${extra}\r\n`

test('Expect: 100-continue is answered when the upstream would take the body, not before', async () => {
  const upstreamMayContinue = Promise.withResolvers<undefined>()
  const reached = Promise.withResolvers<undefined>()
  await using running = await runGateway({
    upstreamSpeaks: 'bytes',
    upstream: (socket: Socket) => {
      let seen = ''
      socket.on('data', (bytes) => {
        seen += bytes.toString()
        if (/expect: 100-continue\r\n/i.test(seen)) reached.resolve(undefined)
        if (seen.endsWith('hello')) socket.end('HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
      })
      void upstreamMayContinue.promise.then(() => socket.write('HTTP/1.1 100 Continue\r\n\r\n'))
    },
  })
  await using client = await RawConnection.open(running.port)
  client.send(upload('Expect: 100-continue\r\n'))
  await reached.promise
  assert.equal(client.socket.bytesRead, 0)
  upstreamMayContinue.resolve(undefined)
  assert.equal((await client.answer()).status, 100)
  assert.equal((await client.send('hello').answer()).status, 201)
})

test('a client that expects to be refused gets the refusal instead of 100, and has sent no body', async () => {
  await using running = await runGateway({
    upstreamSpeaks: 'bytes',
    upstream: (socket: Socket) => {
      socket.once('data', () => socket.write('HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nnope'))
    },
  })
  await using client = await RawConnection.open(running.port)
  const answer = await client.send(upload('Expect: 100-continue\r\n')).answer()
  assert.equal(answer.status, 401)
  assert.equal(answer.body.toString(), 'nope')
})

test('any other expectation is refused with 417', async () => {
  await using running = await runGateway({ upstream: hashing })
  await using client = await RawConnection.open(running.port)
  assert.equal((await client.send(upload('Expect: the-unexpected\r\n')).answer()).status, 417)
})

test('a kept connection that the upstream closes as a GET goes out is replaced by a new one, once', async () => {
  let connections = 0
  let requests = 0
  await using running = await runGateway({
    upstreamSpeaks: 'bytes',
    upstream: (socket: Socket) => {
      const number = (connections += 1)
      let served = 0
      socket.on('data', () => {
        requests += 1
        served += 1
        if (number === 1 && served === 2) socket.destroy()
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      })
    },
  })
  await using client = await RawConnection.open(running.port)
  const get = 'GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n'
  assert.equal((await client.send(get).answer()).status, 200)
  assert.equal((await client.send(get).answer()).status, 200)
  assert.deepEqual([connections, requests], [2, 3])
})

test('a POST that meets a closed connection is not repeated', async () => {
  let requests = 0
  await using running = await runGateway({
    upstreamSpeaks: 'bytes',
    upstream: (socket: Socket) => {
      socket.on('data', () => {
        requests += 1
        if (requests === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        else socket.destroy()
      })
    },
  })
  await using client = await RawConnection.open(running.port)
  const post = 'POST /v2/x/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n'
  assert.equal((await client.send(post).answer()).status, 200)
  const refused = await client.send(post).answer()
  assert.equal(refused.status, 502)
  assert.equal(refused.header('retry-after'), '5')
  assert.equal(requests, 2)
})

test('requests of many clients share the connections to the upstream', async () => {
  const sockets = new Set<Socket>()
  await using running = await runGateway({
    upstream: (incoming, response) => {
      sockets.add(incoming.socket)
      response.end('ok')
    },
  })
  for (let count = 0; count < 10; count++) {
    assert.equal((await ask(certificate.cert, `https://localhost:${running.port}/v2/`)).status, 200)
  }
  assert.equal(sockets.size, 1)
})

/** Resolves when a count has not changed for a while of turns of the event loop in which bytes could have moved. */
async function settled(count: () => number): Promise<void> {
  let [before, since] = [count(), performance.now()]
  while (performance.now() - since < 300) {
    await setImmediate()
    if (count() !== before) [before, since] = [count(), performance.now()]
  }
}
