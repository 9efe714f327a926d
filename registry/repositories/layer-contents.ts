import { pipeline } from 'node:stream/promises'
import type { Digest } from '../domain/digest.ts'
import { RegistryError } from '../domain/errors.ts'
import type { ImageName } from '../domain/names.ts'
import type { UploadId } from '../domain/upload-id.ts'
import type { Blobs } from '../storage/blob-store.ts'
import { anywhere, createLayerGzip, hashing, packingOf, readDiffId, unpacker } from '../storage/layer-bytes.ts'
import type { LayerContent, LayerContents } from '../storage/layer-contents.ts'
import { RunningHash } from '../storage/running-hashes.ts'
import type { PushTarget } from './repository.ts'
import { bringBlob } from './whole-blob.ts'

export interface LayerStorage {
  readonly blobs: Pick<Blobs, 'open'>
  readonly metadata: LayerContents
}

interface Stored {
  readonly digest: Digest
  readonly size: number
}

/**
 * What is in a layer. Reads it whole, unless somebody has before. Throws BLOB_UNKNOWN, and MANIFEST_INVALID when its bytes are not what
 * they should be.
 */
export async function contentOf({ blobs, metadata }: LayerStorage, layer: Stored): Promise<LayerContent> {
  const { digest } = layer
  const known = await metadata.findLayerContent(digest)
  if (known) return known
  const packing = await packingOf(blobs, layer)
  const diffId = await readDiffId(blobs, digest, packing)
  if (!diffId) {
    const message = `the layer ${digest} cannot be unpacked: its bytes are damaged${packing === 'none' ? '' : `, or no ${packing}`}`
    throw new RegistryError('MANIFEST_INVALID', { message, detail: { digest } })
  }
  const found = { digest, diffId, packing, inGzip: undefined }
  await metadata.noteLayerContent(found)
  return found
}

export interface GzipTarget {
  readonly target: PushTarget
  readonly image: ImageName
  /** Name of who asks for it. */
  readonly principal: string | undefined
}

/**
 * Gives an image the layer in gzip, which clients of every age can read, and remembers it. Throws what a push throws.
 */
export async function packInGzip(
  { blobs, metadata }: LayerStorage,
  content: LayerContent,
  { target, image, principal }: GzipTarget,
): Promise<Stored> {
  const hash = new RunningHash('sha256')
  const packed = async (upload: UploadId) => {
    const steps = [unpacker(content.packing), createLayerGzip()] as const
    const append = (bytes: AsyncIterable<Buffer>) => target.append(image, upload, 0, bytes)
    await pipeline(await blobs.open(content.digest, undefined), ...steps, anywhere, hashing(hash), append)
    return hash.size
  }
  const { digest, size } = await bringBlob(target, {
    image,
    principal,
    algorithm: 'sha256',
    append: packed,
    digest: async () => hash.digest(),
  })
  await metadata.noteLayerContent({ ...content, inGzip: digest })
  return { digest, size }
}
