import { createHash } from 'node:crypto'
import { Readable, Writable } from 'node:stream'

/** `size` bytes in chunks, the same every time, and no two chunks alike; or what of them begins at `first`. */
export function patternBytes(size: number, chunkSize = 65_536, first = 0): Readable {
  return Readable.from(patternChunks(size, chunkSize, first), { objectMode: false })
}

export function* patternChunks(size: number, chunkSize = 65_536, first = 0): Generator<Buffer> {
  for (let sent = first; sent < size;) {
    const start = sent - (sent % chunkSize)
    const chunk = Buffer.alloc(Math.min(chunkSize, size - start), `${start}.`).subarray(sent - start)
    sent += chunk.length
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
