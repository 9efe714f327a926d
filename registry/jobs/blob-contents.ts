import { buffer } from 'node:stream/consumers'
import type { Digest } from '../domain/digest.ts'
import { readImageConfig, type ImageConfig } from '../domain/image-config.ts'
import type { Compression } from '../domain/rebuilt-manifest.ts'
import { isUnreadable } from '../storage/durable-files.ts'
import { packingOf, readDiffId } from '../storage/layer-bytes.ts'
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
  const packing = await packingOf(blobs, blob)
  if (packing === 'gzip' || packing === 'zstd') {
    const diffId = await readDiffId(blobs, blob.digest, packing)
    if (diffId) return { kind: 'content', diffId, compression: packing }
  }
  const { problem } = await examine(blobs, { ...blob, state: 'kept' }, asFastAsItGoes, new AbortController().signal)
  if (problem) return { kind: 'wrong bytes' }
  const config =
    blob.size <= maxConfigBytes ? readImageConfig(await buffer(await blobs.open(blob.digest, undefined))) : undefined
  return config ? { kind: 'config', config } : { kind: 'content', diffId: blob.digest, compression: 'none' }
}
