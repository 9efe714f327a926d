import { createHash } from 'node:crypto'
import { Readable, Writable } from 'node:stream'

/** `size` bytes in chunks, the same every time, and no two chunks alike. */
export function patternBytes(size: number, chunkSize = 65_536): Readable {
  return Readable.from(chunks(size, chunkSize), { objectMode: false })
}

function* chunks(size: number, chunkSize: number): Generator<Buffer> {
  for (let sent = 0; sent < size; sent += chunkSize) {
    const chunk = Buffer.alloc(Math.min(chunkSize, size - sent), `${sent}.`)
    yield chunk
  }
}

/** Takes bytes and keeps only their number and their SHA-256. */
export class HashingSink extends Writable {
  readonly #hash = createHash('sha256')
  bytes = 0

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.bytes += chunk.length
    this.#hash.update(chunk)
    done()
  }

  sha256(): string {
    return this.#hash.copy().digest('hex')
  }
}
