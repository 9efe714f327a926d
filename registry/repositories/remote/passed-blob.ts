import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { ByteRange } from '../../../wire/byte-range.ts'
import { algorithmOf, digestOf, type Digest } from '../../domain/digest.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { BlobHandle } from '../repository.ts'
import { UpstreamFailure, type UpstreamBlob } from '../upstream/upstream.ts'
import { guarded } from './blob-transfer.ts'

/** A blob that goes from the upstream to whoever reads it, and of which nothing is kept. */
export function passedBlob(
  digest: Digest,
  size: number,
  open: (offset: number) => Promise<UpstreamBlob | undefined>,
): BlobHandle {
  return {
    size,
    path: () => undefined,
    cache: { kind: 'miss' },
    open: async (range) => {
      const there = guarded(await open(range?.first ?? 0))
      if (!there) throw new RegistryError('BLOB_UNKNOWN', { detail: { digest } })
      const isPart = range !== undefined && (range.first > 0 || range.last < size - 1)
      const bytes = Readable.from(isPart ? part(there, range) : whole(there, digest, size), { objectMode: false })
      // A generator that nobody has read from yet does not hear that its reader has gone.
      return bytes.once('close', () => there.bytes.destroy())
    },
  }
}

/** For the reader to put together with others, and to look at then. */
async function* part({ bytes, offset }: UpstreamBlob, { first, last }: ByteRange): AsyncGenerator<Uint8Array> {
  let position = offset
  for await (const chunk of bytes as AsyncIterable<Uint8Array>) {
    const wanted = chunk.subarray(Math.max(0, first - position), Math.max(0, last + 1 - position))
    position += chunk.length
    if (wanted.length > 0) yield wanted
    if (position > last) return
  }
  throw new UpstreamFailure('wrong', `the blob ended after ${position} bytes`)
}

/** The last byte is held back until all have turned out to be those of the digest. */
async function* whole({ bytes }: UpstreamBlob, digest: Digest, size: number): AsyncGenerator<Uint8Array> {
  const hash = createHash(algorithmOf(digest))
  let position = 0
  let last: Uint8Array | undefined
  for await (const chunk of bytes as AsyncIterable<Uint8Array>) {
    position += chunk.length
    if (position > size) break
    hash.update(chunk)
    if (position < size) yield chunk
    else {
      if (chunk.length > 1) yield chunk.subarray(0, -1)
      last = chunk.subarray(-1)
    }
  }
  const actual = digestOf(algorithmOf(digest), hash.digest('hex'))
  if (position !== size || actual !== digest)
    throw new UpstreamFailure('wrong', `the blob ${digest} of ${size} bytes came as ${actual} of ${position}`)
  if (last) yield last
}
