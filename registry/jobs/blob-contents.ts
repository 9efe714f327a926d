import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { algorithmOf, type Digest } from '../domain/digest.ts'
import { readImageConfig, type ImageConfig } from '../domain/image-config.ts'
import type { Compression } from '../domain/rebuilt-manifest.ts'
import { isUnreadable } from '../storage/durable-files.ts'
import { RunningHash } from '../storage/running-hashes.ts'
import { examine, type CheckedStorage } from './blob-check.ts'
import { Pace } from './pace.ts'

/** Those of honest images have some ten thousand bytes. */
const maxConfigBytes = 8 * 1024 * 1024
const asFastAsItGoes = new Pace(Infinity)

/** What a blob is, as far as its bytes say it themselves: nothing tells a layer from other content. */
export type BlobContents =
  | { readonly kind: 'config'; readonly config: ImageConfig }
  /** `diffId`: digest of the bytes without their compression, as the configuration of an image would name them. */
  | { readonly kind: 'content'; readonly diffId: Digest; readonly compression: Compression }
  | { readonly kind: 'wrong bytes' }

interface Stored {
  readonly digest: Digest
  readonly size: number
}

export async function readContents(blobs: CheckedStorage['blobs'], blob: Stored): Promise<BlobContents> {
  try {
    return await contentsOf(blobs, blob)
  } catch (error) {
    if (isUnreadable(error)) return { kind: 'wrong bytes' }
    throw error
  }
}

async function contentsOf(blobs: CheckedStorage['blobs'], blob: Stored): Promise<BlobContents> {
  const compression = compressionOf(await firstBytes(blobs, blob))
  if (compression !== 'none') {
    const diffId = await readDiffId(blobs, blob.digest, compression)
    if (diffId) return { kind: 'content', diffId, compression }
  }
  const { problem } = await examine(blobs, { ...blob, state: 'kept' }, asFastAsItGoes, new AbortController().signal)
  if (problem) return { kind: 'wrong bytes' }
  const config =
    blob.size <= maxConfigBytes ? readImageConfig(await buffer(await blobs.open(blob.digest, undefined))) : undefined
  return config ? { kind: 'config', config } : { kind: 'content', diffId: blob.digest, compression: 'none' }
}

async function firstBytes(blobs: CheckedStorage['blobs'], { digest, size }: Stored): Promise<string> {
  if (size < 4) return ''
  return (await buffer(await blobs.open(digest, { first: 0, last: 3 }))).toString('hex')
}

/** RFC 1952 §2.3.1 and RFC 8878 §3.1.1. */
function compressionOf(magic: string): Compression {
  if (magic.startsWith('1f8b')) return 'gzip'
  return magic === '28b52ffd' ? 'zstd' : 'none'
}

/** Undefined when the bytes are other ones than the digest says, or are not compressed this way after all. */
async function readDiffId(
  blobs: CheckedStorage['blobs'],
  digest: Digest,
  compression: 'gzip' | 'zstd',
): Promise<Digest | undefined> {
  const [compressed, plain] = [new RunningHash(algorithmOf(digest)), new RunningHash('sha256')]
  const decompress = compression === 'gzip' ? createGunzip() : createZstdDecompress()
  try {
    await pipeline(await blobs.open(digest, undefined), hashing(compressed), decompress, hashing(plain), drain)
  } catch {
    return undefined // whoever reads it without decompressing it finds out what is wrong
  }
  return compressed.digest() === digest ? plain.digest() : undefined
}

function hashing(hash: RunningHash): (chunks: AsyncIterable<Buffer>) => AsyncGenerator<Buffer> {
  return async function* (chunks) {
    for await (const chunk of chunks) {
      hash.update(chunk)
      yield chunk
    }
  }
}

async function drain(chunks: AsyncIterable<Buffer>): Promise<void> {
  for await (const _chunk of chunks) continue
}
