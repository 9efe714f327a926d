import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, RequestListener } from 'node:http'
import type { Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { setTimeout as elapse } from 'node:timers/promises'
import { descriptorsFallTo, openDescriptors } from '../helpers/open-descriptors.ts'
import { RawConnection, type RawAnswer } from '../helpers/raw-connection.ts'
import { runGateway } from '../helpers/running-gateway.ts'

const kibi = 1024
const mebi = 1024 * kibi
const get = 'GET /v2/x/blobs/y HTTP/1.1\r\nHost: localhost\r\n\r\n'
const idle = { config: { idleTimeoutSeconds: 1 } }

/** An upstream that says these bytes to every request and then does `then`. */
const says = (bytes: string, then: (socket: Socket) => void) => (socket: Socket) => {
  socket.once('data', () => socket.write(bytes, () => then(socket)))
}
const ends = (socket: Socket) => void socket.end()
const resets = (socket: Socket) => void socket.resetAndDestroy()
const stalls = () => {}

let descriptorsBefore = 0
before(async () => {
  // What Node opens once and keeps is opened by a first round.
  await using running = await runGateway({ upstream: (_request, response) => response.end('ok') })
  await using client = await RawConnection.open(running.port)
  await client.send(get).answer()
  descriptorsBefore = openDescriptors().length
})
after(async () => {
  await descriptorsFallTo(descriptorsBefore)
})

function assertRefusal(answer: RawAnswer, status: number, code: string): void {
  assert.equal(answer.status, status)
  assert.equal(answer.complete, true)
  assert.equal(answer.header('content-type'), 'application/json')
  const { errors } = answer.json() as { errors: readonly { readonly code: string; readonly message: string }[] }
  assert.equal(errors.length, 1)
  assert.equal(errors[0]?.code, code)
  assert.ok(errors[0]?.message)
}

const byLength = 'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\npart'
const small = 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart'
const byChunks = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n'
const truncations = [
  ['Content-Length, closed', byLength, ends, 'socket'],
  ['Content-Length, closed', byLength, ends, 'port'],
  ['Content-Length, reset', byLength, resets, 'port'],
  ['chunks, closed', byChunks, ends, 'socket'],
  ['chunks, closed', byChunks, ends, 'port'],
  ['chunks, reset', byChunks, resets, 'port'],
] as const

for (const [name, bytes, then, upstreamBy] of truncations) {
  test(`truncated upstream (${name}, ${upstreamBy}): the client's answer breaks off too`, async () => {
    await using running = await runGateway({ upstreamSpeaks: 'bytes', upstreamBy, upstream: says(bytes, then) })
    await using client = await RawConnection.open(running.port)
    const answer = await client.send(get).answer()
    assert.equal(answer.status, 200)
    assert.equal(answer.body.toString(), 'part')
    assert.equal(answer.complete, false)
  })
}

for (const [name, then] of [
  ['closed', ends],
  ['reset', resets],
] as const) {
  test(`truncated upstream (a small answer, ${name}): 502, because nothing of it was passed on`, async () => {
    await using running = await runGateway({ upstreamSpeaks: 'bytes', upstreamBy: 'port', upstream: says(small, then) })
    await using client = await RawConnection.open(running.port)
    const answer = await client.send(get).answer()
    assertRefusal(answer, 502, 'UNAVAILABLE')
    assert.equal(answer.header('retry-after'), '5')
  })
}

test('stalled upstream, within a small answer: 504 after the idle time', async () => {
  await using running = await runGateway({ ...idle, upstreamSpeaks: 'bytes', upstream: says(small, stalls) })
  await using client = await RawConnection.open(running.port)
  assertRefusal(await client.send(get).answer(), 504, 'UNAVAILABLE')
})

test('stalled upstream, before its answer: 504 after the idle time', async () => {
  await using running = await runGateway({ ...idle, upstreamSpeaks: 'bytes', upstream: says('', stalls) })
  await using client = await RawConnection.open(running.port)
  assertRefusal(await client.send(get).answer(), 504, 'UNAVAILABLE')
})

test('stalled upstream, within its answer: the client’s answer breaks off after the idle time', async () => {
  await using running = await runGateway({ ...idle, upstreamSpeaks: 'bytes', upstream: says(byLength, stalls) })
  await using client = await RawConnection.open(running.port)
  assert.equal((await client.send(get).answer()).complete, false)
})

test('stalled upstream, that takes no more of an upload: 504 after the idle time', async () => {
  await using running = await runGateway({
    ...idle,
    upstreamSpeaks: 'bytes',
    upstream: (socket: Socket) => void socket.once('data', () => socket.pause()),
  })
  await using client = await RawConnection.open(running.port)
  client.send(`PUT /v2/x HTTP/1.1\r\nHost: a\r\nContent-Length: ${32 * mebi}\r\n\r\n`, Buffer.alloc(32 * mebi))
  assertRefusal(await client.answer(), 504, 'UNAVAILABLE')
})

test('upstream gone (no socket): 503 with Retry-After that names the upstream', async () => {
  await using running = await runGateway()
  await using client = await RawConnection.open(running.port)
  const answer = await client.send(get).answer()
  assertRefusal(answer, 503, 'UNAVAILABLE')
  assert.equal(answer.header('retry-after'), '5')
  assert.match(answer.body.toString(), /unix:.*nobody\.sock is not running/)
})

test('upstream gone, while a client uploads: 503, complete', async () => {
  await using running = await runGateway()
  await using client = await RawConnection.open(running.port)
  client.send(`PUT /v2/x HTTP/1.1\r\nHost: a\r\nContent-Length: ${8 * mebi}\r\n\r\n`, Buffer.alloc(8 * mebi))
  assertRefusal(await client.answer(), 503, 'UNAVAILABLE')
})

for (const [name, bytes, then] of [
  ['closes without an answer', '', ends],
  ['resets without an answer', '', resets],
  ['closes within the head', 'HTTP/1.1 200 OK\r\nContent-Le', ends],
  ['answers in another language', '220 mail.example ESMTP\r\n', stalls],
  ['answers with status 000', 'HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n', stalls],
  ['wants another protocol', 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n', stalls],
  ['answers with 100 KiB of headers', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100 * kibi)}\r\n\r\n`, stalls],
] as const) {
  test(`an upstream that ${name}: 502 with Retry-After`, async () => {
    await using running = await runGateway({ upstreamSpeaks: 'bytes', upstreamBy: 'port', upstream: says(bytes, then) })
    await using client = await RawConnection.open(running.port)
    const answer = await client.send(get).answer()
    assertRefusal(answer, 502, 'UNAVAILABLE')
    assert.equal(answer.header('retry-after'), '5')
  })
}

const bodySize = 24 * mebi
for (const upstreamBy of ['socket', 'port'] as const) {
  for (const upstreamCloses of [false, true]) {
    for (const clientCloses of [false, true]) {
      const how = `upstream by ${upstreamBy} ${upstreamCloses ? 'closes' : 'keeps alive'}, client ${clientCloses ? 'closes' : 'keeps alive'}`
      test(`early 401 during an upload (${how}): the client gets all of it, even when it reads only at the end`, async () => {
        const body = '{"errors":[]}'.padEnd(3000)
        const close = upstreamCloses ? 'Connection: close\r\n' : ''
        const early = `HTTP/1.1 401 Unauthorized\r\nContent-Length: 3000\r\n${close}\r\n${body}`
        await using running = await runGateway({
          upstreamSpeaks: 'bytes',
          upstreamBy,
          upstream: (socket: Socket) => {
            // Leaves the rest of the body unread: closing then resets the connection.
            socket.once('data', () => {
              socket.pause()
              socket.write(early, () => upstreamCloses && socket.destroy())
            })
          },
        })
        await using client = await RawConnection.open(running.port)
        const connection = clientCloses ? 'Connection: close\r\n' : ''
        client.socket.pause()
        client.send(`PUT /v2/x HTTP/1.1\r\nHost: a\r\nContent-Length: ${bodySize}\r\n${connection}\r\n`)
        for (let sent = 0; sent < bodySize; sent += mebi) {
          if (!client.socket.write(Buffer.alloc(mebi))) await once(client.socket, 'drain')
        }
        client.socket.resume()
        const answer = await client.answer()
        assert.equal(answer.status, 401)
        assert.equal(answer.body.toString(), body)
        assert.equal(answer.header('connection'), 'close')
        assert.equal((await client.rest()).length, 0)
        assert.equal(client.error, undefined)
      })
    }
  }
}

test('early 413 of an upstream that closes, chunked both ways: the client gets all of it', async () => {
  await using running = await runGateway({
    upstream: (_request, response) => {
      response.writeHead(413, { Connection: 'close' })
      response.write('too ')
      response.end('large')
    },
  })
  await using client = await RawConnection.open(running.port)
  client.send('PATCH /v2/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
  const piece = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(mebi), Buffer.from('\r\n')])
  for (let count = 0; count < 8; count++) client.send(piece)
  const answer = await client.send('0\r\n\r\n').answer()
  assert.equal(answer.status, 413)
  assert.equal(answer.body.toString(), 'too large')
  assert.equal(answer.complete, true)
})

test('an early answer to a client that sends without end is given, and the connection ended within bounds', async () => {
  await using running = await runGateway({
    upstream: (_request, response) => response.writeHead(401, { 'Content-Length': 4 }).end('nope'),
  })
  await using client = await RawConnection.open(running.port)
  client.send('PATCH /v2/x HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999\r\n\r\n')
  const piece = Buffer.alloc(mebi)
  const more = () => {
    while (client.socket.writable && client.socket.write(piece)) {}
  }
  client.socket.on('drain', more)
  more()
  const answer = await client.answer()
  assert.equal(answer.status, 401)
  assert.equal(answer.body.toString(), 'nope')
  await client.rest()
  assert.ok(client.socket.bytesWritten < 200 * mebi)
})

test('an upstream connection whose request was not finished is not used again', async () => {
  const sockets: Socket[] = []
  await using running = await runGateway({
    upstream: (request, response) => {
      sockets.push(request.socket)
      response.writeHead(401, { 'Content-Length': 4 }).end('nope')
    },
  })
  await using uploading = await RawConnection.open(running.port)
  uploading.send('PATCH /v2/x HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n', Buffer.alloc(mebi))
  await uploading.answer()
  await using client = await RawConnection.open(running.port)
  assert.equal((await client.send(get).answer()).status, 401)
  assert.notEqual(sockets[0], sockets[1])
})

test('a client gone mid-upload: the upstream sees its request aborted, and never as complete', async () => {
  const arrived = Promise.withResolvers<IncomingMessage>()
  await using running = await runGateway({ upstream: (request: IncomingMessage) => arrived.resolve(request) })
  const client = await RawConnection.open(running.port)
  client.send('PATCH /v2/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n')
  const request = await arrived.promise
  await once(request, 'readable')
  assert.equal(request.read()?.toString(), 'part')
  const closed = once(request, 'close').catch(() => {})
  await client[Symbol.asyncDispose]()
  await closed
  assert.equal(request.complete, false)
  const [line = ''] = await running.accessLog()
  assert.match(line, /"PATCH \/v2\/x HTTP\/1\.1" 499 0 /)
})

test('a client gone mid-download: the upstream stops, and the access log says how much was sent', async () => {
  const aborted = Promise.withResolvers<number>()
  let written = 0
  await using running = await runGateway({
    upstream: (_request, response) => {
      response.writeHead(200, { 'Content-Length': 1024 * mebi })
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * kibi))) written += 64 * kibi
      }
      response.on('drain', more)
      response.on('close', () => aborted.resolve(written))
      more()
    },
  })
  const client = await RawConnection.open(running.port)
  client.send(get)
  await client.receive(mebi)
  await client[Symbol.asyncDispose]()
  assert.ok((await aborted.promise) < 1024 * mebi)
  const [line = ''] = await running.accessLog()
  assert.match(line, /"GET \/v2\/x\/blobs\/y HTTP\/1\.1" 200 \d{7,8} /)
})

test('a client gone before the answer: the upstream’s work is aborted', async () => {
  const arrived = Promise.withResolvers<IncomingMessage>()
  await using running = await runGateway({ upstream: (request: IncomingMessage) => arrived.resolve(request) })
  const client = await RawConnection.open(running.port)
  client.send(get)
  const request = await arrived.promise
  const closed = once(request.socket, 'close')
  await client[Symbol.asyncDispose]()
  await closed
})

test('a slow client that keeps reading is served for longer than the idle time', async () => {
  const size = 24 * mebi
  await using running = await runGateway({
    ...idle,
    upstream: (_request, response) => response.writeHead(200, { 'Content-Length': size }).end(Buffer.alloc(size)),
  })
  await using client = await RawConnection.open(running.port)
  client.socket.removeAllListeners('data').pause()
  client.send(get)
  let received = 0
  const started = performance.now()
  while (performance.now() - started < 2500) {
    received += client.socket.read(256 * kibi)?.length ?? 0
    await elapse(50)
  }
  for await (const chunk of client.socket) {
    received += chunk.length
    if (received >= size) break
  }
  assert.ok(received >= size)
})

test('a slow client that stops reading is ended after the idle time', async () => {
  const ended = Promise.withResolvers<undefined>()
  await using running = await runGateway({
    ...idle,
    upstream: (_request, response) => {
      response.on('close', () => ended.resolve(undefined))
      response.writeHead(200, { 'Content-Length': 64 * mebi }).end(Buffer.alloc(64 * mebi))
    },
  })
  await using client = await RawConnection.open(running.port)
  client.socket.pause()
  client.send(get)
  await ended.promise
})

test('a slow client that stops sending its body gets 408 after the idle time', async () => {
  await using running = await runGateway({ ...idle, upstream: (request: IncomingMessage) => void request.resume() })
  await using client = await RawConnection.open(running.port)
  client.send('PATCH /v2/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345')
  assertRefusal(await client.answer(), 408, 'BAD_REQUEST')
})

test('a header flood is refused with 431 and the connection ended', async () => {
  await using running = await runGateway({ upstream: (_request, response) => response.end('reached') })
  for (const flood of [`X: ${'x'.repeat(40 * kibi)}\r\n`, 'X-A: 1\r\n'.repeat(9000)]) {
    await using client = await RawConnection.open(running.port)
    assertRefusal(await client.send('GET /v2/ HTTP/1.1\r\nHost: a\r\n', flood, '\r\n').answer(), 431, 'BAD_REQUEST')
    await client.rest()
  }
})

test('a hundred headers are passed on, and three hundred refused', async () => {
  const upstream: RequestListener = (request, response) => response.end(request.headers['x-last'])
  await using running = await runGateway({ upstream })
  for (const [count, status] of [
    [100, 200],
    [300, 431],
  ]) {
    await using client = await RawConnection.open(running.port)
    const many = Array.from({ length: count ?? 0 }, (_, index) => `a${index}:\r\n`).join('')
    const answer = await client.send(`GET /v2/ HTTP/1.1\r\nHost: a\r\n${many}X-Last: here\r\n\r\n`).answer()
    assert.equal(answer.status, status)
    if (status === 200) assert.equal(answer.body.toString(), 'here')
  }
})

const line = (target: string) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`
const head = (...headers: readonly string[]) => ['POST /v2/x HTTP/1.1', 'Host: a', ...headers, '', ''].join('\r\n')
const smuggling: readonly (readonly [string, string, number])[] = [
  ['TE and CL', head('Content-Length: 5', 'Transfer-Encoding: chunked') + '0\r\n\r\n', 400],
  ['CL and TE', head('Transfer-Encoding: chunked', 'Content-Length: 5') + '0\r\n\r\n', 400],
  ['two lengths', head('Content-Length: 5', 'Content-Length: 6') + 'hello', 400],
  ['two lengths in one', head('Content-Length: 5, 5') + 'hello', 400],
  ['a signed length', head('Content-Length: +5') + 'hello', 400],
  ['a length in hexadecimal', head('Content-Length: 0x5') + 'hello', 400],
  ['chunked twice', head('Transfer-Encoding: chunked, chunked') + '0\r\n\r\n', 400],
  ['another coding before chunked', head('Transfer-Encoding: gzip, chunked') + '0\r\n\r\n', 501],
  ['chunked not last', head('Transfer-Encoding: chunked, gzip') + '0\r\n\r\n', 400],
  ['an unknown coding', head('Transfer-Encoding: xchunked') + '0\r\n\r\n', 501],
  ['a coding with a vertical tab', head('Transfer-Encoding: \x0bchunked') + '0\r\n\r\n', 400],
  ['a chunked body in HTTP/1.0', head('Transfer-Encoding: chunked').replace('1.1', '1.0') + '0\r\n\r\n', 400],
  ['a chunked body of GET', head('Transfer-Encoding: chunked').replace('POST', 'GET') + '0\r\n\r\n', 411],
  ['a chunked body of DELETE', head('Transfer-Encoding: chunked').replace('POST', 'DELETE') + '0\r\n\r\n', 411],
  ['a folded header', head('X: 1', ' 2'), 400],
  ['a space before the colon', head('Content-Length : 5') + 'hello', 400],
  ['a header name with a space', head('X Y: 5'), 400],
  ['a NUL in a header', head('X: a\0b'), 400],
  ['a bare CR in a header', head('X: a\rb'), 400],
  ['bare line feeds', 'GET /v2/ HTTP/1.1\nHost: a\n\n', 400],
  ['no Host', 'GET /v2/ HTTP/1.1\r\n\r\n', 400],
  ['two Hosts', 'GET /v2/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
  ['the same Host twice', 'GET /v2/ HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n', 400],
  ['an empty Host', 'GET /v2/ HTTP/1.1\r\nHost:\r\n\r\n', 400],
  ['a Host with a path', 'GET /v2/ HTTP/1.1\r\nHost: a/b\r\n\r\n', 400],
  ['a Host with a user', 'GET /v2/ HTTP/1.1\r\nHost: b@a\r\n\r\n', 400],
  ['a Host with a bad port', 'GET /v2/ HTTP/1.1\r\nHost: a:99999\r\n\r\n', 400],
  ['an encoded slash', line('/v2/a%2fb/tags/list'), 400],
  ['an encoded backslash', line('/v2/a%5Cb/tags/list'), 400],
  ['a backslash', line('/v2/a\\b/tags/list'), 400],
  ['an encoded NUL', line('/v2/a%00b/tags/list'), 400],
  ['an encoded line feed', line('/v2/a%0ab/tags/list'), 400],
  ['a dot segment', line('/v2/../artifactory/api/system'), 400],
  ['an encoded dot segment', line('/v2/%2e%2e/artifactory/api/system'), 400],
  ['a single dot', line('/v2/./x/tags/list'), 400],
  ['an empty segment', line('/v2//x/tags/list'), 400],
  ['two slashes first', line('//evil.example/v2/'), 400],
  ['a lone percent', line('/v2/100%/tags/list'), 400],
  ['raw octets beyond ASCII', line('/v2/é'), 400],
  ['a fragment', line('/v2/x#/tags/list'), 400],
  ['the absolute form', line('http://evil.example/v2/'), 400],
  ['the absolute form of this host', line('https://a/v2/'), 400],
  ['the asterisk form', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['another version', 'GET /v2/ HTTP/3.7\r\nHost: a\r\n\r\n', 400],
  ['an unknown method', 'FROB /v2/ HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['TRACE', 'TRACE /v2/ HTTP/1.1\r\nHost: a\r\n\r\n', 405],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
]

for (const [name, bytes, status] of smuggling) {
  test(`${name}: ${status}, and the upstream hears nothing`, async () => {
    let heard = 0
    await using running = await runGateway({
      upstream: (_request, response) => {
        heard += 1
        response.end()
      },
    })
    await using client = await RawConnection.open(running.port)
    const answer = await client.send(bytes).answer()
    assert.equal(answer.status, status, answer.body.toString())
    assert.ok(answer.complete)
    assert.match(answer.body.toString(), /^\{"errors":\[\{"code":"[A-Z_]+","message":".+"\}\]\}\n$/)
    assert.equal(heard, 0)
  })
}

for (const [name, chunk] of [
  ['a chunk size that is no number', 'zz\r\nhello\r\n'],
  ['a chunk longer than its size', '3\r\nhello\r\n'],
  ['a chunk size beyond all numbers', 'fffffffffffffffff\r\nhello\r\n'],
  ['a chunk that ends in a bare line feed', '5\nhello\n'],
] as const) {
  test(`${name}: 400, and the upstream never sees the body as complete`, async () => {
    const arrived = Promise.withResolvers<IncomingMessage>()
    await using running = await runGateway({
      upstream: (request: IncomingMessage) => arrived.resolve(request.resume()),
    })
    await using client = await RawConnection.open(running.port)
    client.send('PATCH /v2/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n')
    const request = await arrived.promise
    const closed = once(request, 'close').catch(() => {})
    assertRefusal(await client.send(chunk).answer(), 400, 'BAD_REQUEST')
    await closed
    assert.equal(request.complete, false)
  })
}

test('an upstream with an odd reason phrase and octets beyond ASCII is passed on', async () => {
  const odd = Buffer.from('HTTP/1.1 404 a\x01\xff\r\nX: \xe9\r\nContent-Length: 2\r\n\r\nok', 'latin1')
  const upstream = (socket: Socket) => void socket.once('data', () => socket.write(odd))
  await using running = await runGateway({ upstreamSpeaks: 'bytes', upstream })
  await using client = await RawConnection.open(running.port)
  const answer = await client.send(get).answer()
  assert.equal(answer.status, 404)
  assert.equal(answer.header('x'), '\xe9')
})

test('what is no HTTP is refused under the usual name of the status', async () => {
  await using running = await runGateway()
  await using client = await RawConnection.open(running.port)
  assert.match((await client.send('no HTTP\r\n\r\n').answer()).head, /^HTTP\/1\.1 400 Bad Request\r\n/)
})

test('CONNECT ends the connection', async () => {
  await using running = await runGateway({ upstream: (_request, response) => response.end() })
  await using client = await RawConnection.open(running.port)
  assert.equal((await client.send('CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n').rest()).length, 0)
})

test('a second request in the same packet is answered after the first, on its own route', async () => {
  await using running = await runGateway({ upstream: (request, response) => response.end(request.url) })
  await using client = await RawConnection.open(running.port)
  client.send('GET /v2/a HTTP/1.1\r\nHost: a\r\n\r\nGET /v2/b HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.match((await client.answer()).body.toString(), /v2\/a$/)
  assert.match((await client.answer()).body.toString(), /v2\/b$/)
})
