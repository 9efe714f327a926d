import { once } from 'node:events'
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectSecure, type ConnectionOptions } from 'node:tls'

/** An answer as its bytes say. */
export interface RawAnswer {
  readonly status: number
  readonly head: string
  readonly body: Buffer
  /** Whether all of the body came that the head announced. */
  readonly complete: boolean
  header(name: string): string | undefined
  json(): unknown
}

/** A client that sends exactly the bytes it is told to. */
export class RawConnection implements AsyncDisposable {
  readonly socket: Socket
  #received: Buffer = Buffer.alloc(0)
  #closed = false
  /** What ended the connection, when it was not an orderly end. */
  error: Error | undefined = undefined
  readonly #changed = new EventTarget()

  constructor(socket: Socket) {
    this.socket = socket
    const change = () => this.#changed.dispatchEvent(new Event('change'))
    socket.on('data', (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes])
      change()
    })
    socket.on('error', (error) => (this.error = error))
    socket.on('close', () => {
      this.#closed = true
      change()
    })
  }

  static async open(
    port: number,
    how: 'tls' | 'plain' = 'tls',
    options: ConnectionOptions = {},
  ): Promise<RawConnection> {
    if (how === 'plain') {
      const socket = connectPlain({ port, host: '127.0.0.1' })
      await once(socket, 'connect')
      return new RawConnection(socket)
    }
    const socket = connectSecure({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options })
    await once(socket, 'secureConnect')
    return new RawConnection(socket)
  }

  send(...parts: readonly (string | Uint8Array)[]): this {
    for (const part of parts) this.socket.write(part)
    return this
  }

  /** The next answer, as soon as it is complete or the connection has ended; interim answers are answers too. */
  async answer(): Promise<RawAnswer> {
    return await this.#until(() => {
      const parsed = parseAnswer(this.#received, this.#closed)
      if (!parsed) return undefined
      this.#received = this.#received.subarray(parsed.length)
      return parsed.answer
    })
  }

  /** Everything that came and was not taken as an answer, when the connection has ended. */
  async rest(): Promise<Buffer> {
    return await this.#until(() => (this.#closed ? this.#received : undefined))
  }

  /** Resolves when at least so many bytes have come. */
  async receive(bytes: number): Promise<void> {
    await this.#until(() => (this.#received.length >= bytes || this.#closed ? true : undefined))
  }

  /** Resolves when the head of an answer and at least so many bytes after it have come. */
  async receiveBody(bytes: number): Promise<void> {
    await this.#until(() => {
      const end = this.#received.indexOf('\r\n\r\n')
      return (end !== -1 && this.#received.length >= end + 4 + bytes) || this.#closed ? true : undefined
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy()
    await this.#until(() => (this.#closed ? true : undefined))
  }

  async #until<result>(find: () => result | undefined): Promise<result> {
    for (;;) {
      const found = find()
      if (found !== undefined) return found
      if (this.#closed)
        throw new Error(`the connection ended before an answer came (${this.error?.message ?? 'in order'})`)
      await once(this.#changed, 'change')
    }
  }
}

function parseAnswer(bytes: Buffer, closed: boolean): { answer: RawAnswer; length: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const head = bytes.subarray(0, end).toString('latin1')
  const status = Number(head.split(' ')[1])
  const header = (name: string) => new RegExp(`^${name}: *(.*)$`, 'im').exec(head)?.[1]
  const framed = bytes.subarray(end + 4)
  const found = bodyOf(framed, status, header)
  if (!found.complete && !closed) return undefined
  const { body, complete, length } = found
  const answer = { status, head, body, complete, header, json: (): unknown => JSON.parse(body.toString()) }
  return { answer, length: end + 4 + length }
}

function bodyOf(framed: Buffer, status: number, header: (name: string) => string | undefined) {
  if (status < 200 || status === 204 || status === 304) return { body: Buffer.alloc(0), complete: true, length: 0 }
  if (/chunked/i.test(header('transfer-encoding') ?? '')) return dechunk(framed)
  const announced = Number(header('content-length'))
  const body = framed.subarray(0, announced)
  return { body, complete: body.length === announced, length: body.length }
}

function dechunk(framed: Buffer) {
  const chunks: Buffer[] = []
  let position = 0
  for (;;) {
    const lineEnd = framed.indexOf('\r\n', position)
    const size = lineEnd === -1 ? NaN : Number.parseInt(framed.subarray(position, lineEnd).toString(), 16)
    const complete = size === 0 && framed.length >= lineEnd + 4
    const chunk = framed.subarray(lineEnd + 2, lineEnd + 2 + size)
    if (complete || !(size > 0) || framed.length < lineEnd + 2 + size + 2) {
      return { body: Buffer.concat(chunks), complete, length: complete ? lineEnd + 4 : framed.length }
    }
    chunks.push(chunk)
    position = lineEnd + 2 + size + 2
  }
}
