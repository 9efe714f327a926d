import { Duplex, PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { ReadableStream } from 'node:stream/web'
import { createGunzip, createGzip, createZstdDecompress, type Gzip } from 'node:zlib'
import { algorithmOf, type Digest } from '../domain/digest.ts'
import type { Blobs } from './blob-store.ts'
import { bunzip2 } from './bunzip2.ts'
import type { Packing } from './layer-contents.ts'
import { RunningHash } from './running-hashes.ts'

interface Stored {
  readonly digest: Digest
  readonly size: number
}

/** RFC 1952 §2.3.1, RFC 8878 §3.1.1, bzip2's manual, The .xz File Format 1.2 §2.1.1.1. */
const signatures: readonly (readonly [Packing, string])[] = [
  ['gzip', '1f8b'],
  ['zstd', '28b52ffd'],
  ['bzip2', '425a68'],
  ['xz', 'fd377a585a00'],
]
const longestSignature = 6

/** As its first bytes say; `none` when they say nothing. Throws BLOB_UNKNOWN. */
export async function packingOf(blobs: Pick<Blobs, 'open'>, { digest, size }: Stored): Promise<Packing> {
  if (size === 0) return 'none'
  const first = await buffer(await blobs.open(digest, { first: 0, last: Math.min(size, longestSignature) - 1 }))
  return signatures.find(([, signature]) => first.toString('hex').startsWith(signature))?.[0] ?? 'none'
}

/**
 * Digest of the bytes as they are unpacked: an image's configuration names its layers by these. Undefined when the bytes are other ones than
 * `digest` says, or are not packed this way after all. Throws BLOB_UNKNOWN.
 */
export async function readDiffId(
  blobs: Pick<Blobs, 'open'>,
  digest: Digest,
  packing: Packing,
): Promise<Digest | undefined> {
  const [packed, plain] = [new RunningHash(algorithmOf(digest)), new RunningHash('sha256')]
  const bytes = await blobs.open(digest, undefined)
  try {
    await pipeline(bytes, hashing(packed), unpacker(packing), hashing(plain), drain)
  } catch {
    return undefined // whoever reads it without unpacking it finds out what is wrong
  }
  return packed.digest() === digest ? plain.digest() : undefined
}

/** Packed bytes in, plain bytes out. */
export function unpacker(packing: Packing): Duplex {
  switch (packing) {
    case 'none':
      return new PassThrough()
    case 'gzip':
      return createGunzip()
    case 'zstd':
      return createZstdDecompress()
    case 'bzip2':
      return Duplex.from((packed: AsyncIterable<Buffer>) => bunzip2(packed))
    case 'xz':
      return Duplex.from(unxz)
  }
}

/** Packs a layer; what comes out is to go through {@link anywhere}. */
export function createLayerGzip(): Gzip {
  return createGzip({ level: 6 })
}

/** RFC 1952 §2.3.1: the tenth octet names the operating system. The layer is to be the same wherever it is packed. */
export async function* anywhere(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let isFirst = true
  for await (const chunk of chunks) {
    if (isFirst) chunk[9] = 255
    isFirst = false
    yield chunk
  }
}

/** Passes the bytes on. */
export function hashing(hash: RunningHash): (chunks: AsyncIterable<Buffer>) => AsyncGenerator<Buffer> {
  return async function* (chunks) {
    for await (const chunk of chunks) {
      hash.update(chunk)
      yield chunk
    }
  }
}

/** Loaded when it is needed: it compiles a module of WebAssembly. */
async function* unxz(packed: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  const { default: xz } = await import('xz-decompress')
  yield* new xz.XzReadableStream(ReadableStream.from(packed))
}

async function drain(chunks: AsyncIterable<Buffer>): Promise<void> {
  for await (const _chunk of chunks) continue
}
