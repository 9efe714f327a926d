import { appendFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { join } from 'node:path'

/** An upstream with one blob that is still being written; it grows and fails when the test says. */
export class GrowingUpstream {
  readonly bytes: Buffer
  /** What is asked for, in the order of arrival. */
  readonly requests: IncomingMessage[] = []
  readonly #responses = new Set<ServerResponse>()
  readonly #arrived = new EventTarget()
  #path = ''
  #blobPath = ''
  #written = 0
  #told: string | undefined
  #closed = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  readonly answer: RequestListener = (request, response) => {
    this.requests.push(request)
    response.writeHead(200, {
      'Content-Type': 'application/octet-stream',
      ETag: '"sha256:abc"',
      'X-Sendfile': this.#blobPath,
      'X-Sendfile-Growing': this.#path,
      'X-Sendfile-Length': this.bytes.length,
    })
    response.flushHeaders()
    if (this.#told !== undefined) response.write(this.#told)
    this.#responses.add(response)
    response.on('close', () => {
      this.#responses.delete(response)
      this.#closed++
      this.#arrived.dispatchEvent(new Event('change'))
    })
    this.#arrived.dispatchEvent(new Event('change'))
  }

  begin(directory: string): void {
    this.#path = join(directory, 'growing')
    this.#blobPath = join(directory, 'blob')
    writeFileSync(this.#path, '')
  }

  /** Writes what is missing of the first `size` bytes, and tells of it; of all of them only when `finish` does. */
  grow(size: number): void {
    this.write(size)
    this.tell(`${Math.min(size, this.bytes.length - 1)}\n`)
  }

  write(size: number): void {
    appendFileSync(this.#path, this.bytes.subarray(this.#written, size))
    this.#written = Math.max(this.#written, size)
  }

  tell(text: string): void {
    this.#told = text
    for (const response of this.#responses) response.write(text)
  }

  finish(): void {
    this.tell(`${this.bytes.length}\n`)
    this.end()
  }

  /** Ends the progress in order, whatever it said. */
  end(): void {
    for (const response of this.#responses) response.end()
  }

  /** After what it said, which Node holds back until the next tick. */
  breakOff(): void {
    for (const response of this.#responses) setImmediate(() => response.socket?.destroySoon())
  }

  move(): void {
    renameSync(this.#path, this.#blobPath)
    this.#path = this.#blobPath
  }

  remove(): void {
    rmSync(this.#path)
  }

  /** Resolves when so many have asked. */
  async asked(count: number): Promise<void> {
    while (this.requests.length < count) await once(this.#arrived, 'change')
  }

  /** Resolves when so many of them have been left or answered. */
  async left(count: number): Promise<void> {
    while (this.#closed < count) await once(this.#arrived, 'change')
  }
}
