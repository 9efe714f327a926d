import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import Koa from 'koa'
import pino from 'pino'
import { parseDigest } from '../../../registry/domain/digest.ts'
import type { RequestState } from '../../../registry/http/context.ts'
import { answerError } from '../../../registry/http/errors.ts'
import { listen } from '../../../registry/http/listener.ts'
import { Peers } from '../../../registry/http/peers.ts'
import { getBlob } from '../../../registry/http/v2/blobs.ts'
import type { ImageCall } from '../../../registry/http/v2/call.ts'
import type { BlobHandle, Growth } from '../../../registry/repositories/repository.ts'
import { RawConnection } from '../../helpers/raw-connection.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { digestOfBytes } from '../../helpers/tiny-image.ts'

const size = 3 * 1024 * 1024
const digest = parseDigest(digestOfBytes('growing'))
const offer = 'X-Sendfile-Type: X-Sendfile\r\n'
const accelOffer = 'X-Sendfile-Type: X-Accel-Redirect\r\nX-Accel-Mapping: /data/=/protected/\r\n'

/** A growth that the test makes. */
class Growing implements Growth {
  readonly path: string | undefined = '/data/uploads/1'
  readonly blobPath: string | undefined = '/data/blobs/sha256/ab/cd'
  readonly #numbers = new Readable({ objectMode: true, read() {} })
  readonly left = new Promise<unknown>((resolve) => this.#numbers.once('close', resolve))

  available(): AsyncIterable<number> {
    return { [Symbol.asyncIterator]: () => this.#iterate() }
  }

  /** Unlike that of a generator, its `return` need not wait for the next number. */
  #iterate(): AsyncIterator<number> {
    const numbers = this.#numbers[Symbol.asyncIterator]() as AsyncIterator<number>
    return {
      next: () => numbers.next(),
      return: async () => {
        this.#numbers.destroy()
        return { done: true, value: undefined }
      },
    }
  }

  async kept(): Promise<void> {
    assert.fail('nobody is to wait')
  }

  to(...available: readonly number[]): this {
    for (const number of available) this.#numbers.push(number)
    return this
  }

  /** Resolves when all of that has been seen. */
  async seen(): Promise<void> {
    while (this.#numbers.readableLength > 0) await setImmediate()
  }

  end(): void {
    this.#numbers.push(null)
  }

  fail(): void {
    this.#numbers.destroy(new Error('the upstream broke off'))
  }
}

const directory = await temporaryDirectory()
const log: string[] = []
let blob: BlobHandle = handleOf({})
const serving = await serve()
after(async () => {
  await serving.stop()
  await directory[Symbol.asyncDispose]()
})

/** The handler of blobs as the registry has it, on a unix socket and for a trusted proxy on a port. */
async function serve() {
  const peers = new Peers(['127.0.0.1'])
  const logger = pino({ level: 'info' }, { write: (line: string) => void log.push(line) })
  const app = new Koa<RequestState>()
  app.use(async (ctx) => {
    ctx.state.trust = peers.trustOf(ctx.req.socket)
    try {
      const resource = { kind: 'blob', digest }
      const call: unknown = { resource, repository: { blob: async () => blob }, allowed: { extent: 'all' } }
      await getBlob(ctx, call as ImageCall<'blob'>)
    } catch (error) {
      answerError(ctx, error, logger)
    }
  })
  app.on('error', () => {})
  const socket = join(directory.path, 'registry.sock')
  const unix = await listen({ kind: 'unix', path: socket }, app.callback(), (server) => peers.watch(server, 'unix'))
  const wanted = { kind: 'tcp', address: '127.0.0.1', port: 0 } as const
  const tcp = await listen(wanted, app.callback(), (server) => peers.watch(server, 'tcp'))
  const port = tcp.address.kind === 'tcp' ? tcp.address.port : 0
  return { socket, port, stop: () => Promise.all([unix.stop(), tcp.stop()]) }
}

function handleOf(parts: Partial<BlobHandle>): BlobHandle {
  return { size, open: async () => Readable.from([Buffer.alloc(size)]), path: () => undefined, ...parts }
}

function question(headers: string, method = 'GET'): string {
  return `${method} /blob HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`
}

/** What comes on the trusted socket. */
function gateway(headers = offer, method = 'GET'): RawConnection {
  return new RawConnection(connect(serving.socket)).send(question(headers, method))
}

async function proxy(headers: string): Promise<RawConnection> {
  return (await RawConnection.open(serving.port, 'plain')).send(question(headers))
}

test('the gateway is told where a growing blob is, where it will be, and at once', async () => {
  const growing = new Growing()
  blob = handleOf({ growth: growing })
  await using connection = gateway()
  await connection.receiveBody(0)
  growing.to(1, size)
  const answer = await connection.answer()
  assert.equal(answer.status, 200)
  assert.equal(answer.header('x-sendfile'), '/data/blobs/sha256/ab/cd')
  assert.equal(answer.header('x-sendfile-growing'), '/data/uploads/1')
  assert.equal(answer.header('x-sendfile-length'), String(size))
  assert.equal(answer.header('etag'), `"${digest}"`)
  assert.equal(answer.header('docker-content-digest'), digest)
  assert.equal(answer.header('content-type'), 'application/octet-stream')
  assert.equal(answer.header('content-length'), undefined)
  assert.equal(answer.body.toString(), `1\n${size}\n`)
  assert.equal(answer.complete, true)
})

test('conditions and ranges are the gateway’s to obey', async () => {
  blob = handleOf({ growth: new Growing().to(size) })
  await using connection = gateway(`${offer}If-None-Match: "${digest}"\r\nRange: bytes=0-1\r\n`)
  const answer = await connection.answer()
  assert.equal(answer.status, 200)
  assert.equal(answer.body.toString(), `${size}\n`)
})

test('many small steps are few lines, the first and the last among them', async () => {
  const steps = Array.from({ length: 5000 }, (_, index) => (index + 1) * 500)
  blob = handleOf({ growth: new Growing().to(...steps, size) })
  await using connection = gateway()
  const lines = (await connection.answer()).body.toString().split('\n')
  assert.equal(lines[0], '500')
  assert.deepEqual(lines.slice(-2), [String(size), ''])
  assert.ok(lines.length < 50, `${lines.length} lines`)
})

test('a small step is told although no other follows', async () => {
  const growing = new Growing()
  blob = handleOf({ growth: growing })
  await using connection = gateway()
  growing.to(1, 2)
  await connection.receiveBody('2\r\n1\n\r\n2\r\n2\n\r\n'.length)
  growing.to(size)
  assert.equal((await connection.answer()).body.toString(), `1\n2\n${size}\n`)
})

test('a slow reader is told the last and not all', async () => {
  const growing = new Growing()
  const mebibyte = 1024 * 1024
  const many = 200_000
  blob = handleOf({ size: many * mebibyte, growth: growing })
  await using connection = gateway()
  await connection.receiveBody(0)
  connection.socket.pause()
  for (let count = 1; count <= many; count++) growing.to(count * mebibyte)
  await growing.seen()
  connection.socket.resume()
  const answer = await connection.answer()
  assert.equal(answer.complete, true)
  assert.ok(answer.body.toString().endsWith(`\n${many * mebibyte}\n`))
  assert.ok(answer.body.length < many * 5, `${answer.body.length} bytes`)
})

test('an empty blob is told of when it is verified', async () => {
  const growing = new Growing()
  blob = handleOf({ size: 0, growth: growing })
  await using connection = gateway()
  await connection.receiveBody(0)
  growing.to(0)
  assert.equal((await connection.answer()).body.toString(), '0\n')
})

for (const how of ['fail', 'end'] as const)
  test(`a growth that comes to nothing (${how}) breaks the progress off`, async () => {
    const growing = new Growing()
    blob = handleOf({ growth: growing })
    await using connection = gateway()
    growing.to(1)
    await connection.receiveBody(7)
    growing[how]()
    const answer = await connection.answer()
    assert.equal(answer.complete, false)
    assert.equal(answer.body.toString(), '1\n')
  })

test('who leaves has no part in the growth any more', async () => {
  const growing = new Growing()
  blob = handleOf({ growth: growing })
  await using connection = gateway()
  await connection.receiveBody(0)
  connection.socket.destroy()
  await growing.left
})

test('HEAD is answered in full', async () => {
  blob = handleOf({ growth: new Growing() })
  const socket = connect(serving.socket)
  await using connection = new RawConnection(socket).send(question(offer, 'HEAD'))
  const head = (await connection.rest()).toString()
  assert.match(head, /^HTTP\/1\.1 200 /)
  assert.match(head, new RegExp(`^Content-Length: ${size}\r$`, 'im'))
  assert.doesNotMatch(head, /x-sendfile/i)
})

for (const [who, ask] of [
  ['a gateway that does not offer to send files', () => gateway('')],
  ['nginx', () => proxy(accelOffer)],
  ['nginx on the socket', () => gateway(accelOffer)],
  ['a trusted proxy', () => proxy(offer)],
] as const)
  test(`${who} is sent the bytes of a growing blob, and no place`, async () => {
    blob = handleOf({ growth: new Growing(), path: () => '/data/blobs/sha256/ab/cd' })
    await using connection = await ask()
    const answer = await connection.answer()
    assert.equal(answer.body.length, size)
    assert.doesNotMatch(answer.head, /x-sendfile|x-accel|\/data\/|protected/i)
  })

test('a growing blob without a local file is sent by the registry', async () => {
  const growth: Growth = {
    path: undefined,
    blobPath: undefined,
    available: () => assert.fail('nobody is to listen'),
    kept: () => assert.fail('nobody is to wait'),
  }
  blob = handleOf({ growth })
  await using connection = gateway()
  assert.equal((await connection.answer()).body.length, size)
})

for (const [when, chunks] of [
  ['half-way', [Buffer.alloc(1000)]],
  ['before its first byte', []],
] as const)
  for (const range of ['', `Range: bytes=0-${size - 1}\r\n`])
    test(`bytes that fail ${when} ${range && 'of a range '}break the connection off`, async () => {
      blob = handleOf({ open: async () => Readable.from(failing(chunks), { objectMode: false }) })
      await using connection = await proxy(range)
      if (chunks.length > 0) {
        const answer = await connection.answer()
        assert.equal(answer.complete, false)
        assert.equal(answer.header('content-length'), String(size))
      } else {
        assert.equal((await connection.rest()).toString(), '')
      }
    })

test('bytes that have failed before they are asked for break the connection off', async () => {
  blob = handleOf({
    async open() {
      const bytes = new Readable({ read() {} })
      bytes.destroy(new Error('too late'))
      return bytes
    },
  })
  await using connection = await proxy('')
  assert.equal((await connection.rest()).toString(), '')
})

async function* failing(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks
  throw new Error('the upstream broke off')
}
