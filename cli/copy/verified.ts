import { createHash } from 'node:crypto'
import { Transform, type TransformCallback } from 'node:stream'
import { algorithmOf, encodedOf, type Digest } from '../../registry/domain/digest.ts'

/** Passes bytes on, and fails at their end unless they are what the digest says. */
export class Verified extends Transform {
  readonly #hash
  readonly #digest: Digest
  /** How many have passed. */
  bytes = 0

  constructor(digest: Digest) {
    super()
    this.#hash = createHash(algorithmOf(digest))
    this.#digest = digest
  }

  override _transform(chunk: Uint8Array, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#hash.update(chunk)
    this.bytes += chunk.length
    done(null, chunk)
  }

  override _flush(done: TransformCallback): void {
    const actual = this.#hash.digest('hex')
    if (actual === encodedOf(this.#digest)) return done()
    done(new CorruptBlob(this.#digest, `${algorithmOf(this.#digest)}:${actual}`, this.bytes))
  }
}

/** The same for a pipeline. */
export function verifying(
  digest: Digest,
): <chunk extends Uint8Array>(bytes: AsyncIterable<chunk>) => AsyncGenerator<chunk> {
  return async function* (bytes) {
    const hash = createHash(algorithmOf(digest))
    let size = 0
    for await (const chunk of bytes) {
      hash.update(chunk)
      size += chunk.length
      yield chunk
    }
    const actual = hash.digest('hex')
    if (actual !== encodedOf(digest)) throw new CorruptBlob(digest, `${algorithmOf(digest)}:${actual}`, size)
  }
}

export class CorruptBlob extends Error {
  constructor(expected: Digest, actual: string, bytes: number) {
    super(`the source's blob ${expected} is corrupt: its ${bytes} bytes are ${actual}`)
  }
}
