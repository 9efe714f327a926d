import { setImmediate } from 'node:timers/promises'
import type { Digest } from '../../domain/digest.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { ImageName, ImageRef, RepositoryKey, Tag } from '../../domain/names.ts'
import { imageUnknown, parseV1Image, type V1Image, type V1ImageId } from '../../domain/v1-image.ts'
import type { BlobStore } from '../../storage/blob-store.ts'
import type { MayTake } from '../../storage/metadata-store.ts'
import type { KeptV1Image, PushedV1Image, V1Images, V1Push } from '../../storage/v1-images.ts'
import { bringBlob } from '../whole-blob.ts'
import { LayerChecksums, type LayerSums } from './layer-checksums.ts'
import type { LocalRepository } from './local-repository.ts'
import { compareSums, type SaidSums } from './said-sums.ts'
import type { V1Reader } from './v1-reader.ts'

const announcedAtOnce = 1000

/** Who pushes. */
export interface V1Pusher extends V1Reader {
  /** Its name; empty for anonymous. */
  readonly principal: string
  mayDeploy(image: ImageName): Promise<boolean>
  /** Whether it may name the image in what it pushes to the image name that has it. */
  mayBuildOn(image: ImageName, digest: Digest): Promise<boolean>
}

/**
 * What comes in by the V1 API, one image after the other: announced, then the JSON, then the layer, then its checksum; and at last the tag.
 * Docker says in the first and the last step alone which image name all this is for.
 */
export class V1Pushes {
  readonly #local: LocalRepository
  readonly #blobs: BlobStore
  readonly #metadata: V1Images

  constructor(local: LocalRepository, { blobs, metadata }: { readonly blobs: BlobStore; readonly metadata: V1Images }) {
    this.#local = local
    this.#blobs = blobs
    this.#metadata = metadata
  }

  /** Throws STORAGE_FULL. */
  async announce(image: ImageName, principal: string, ids: readonly V1ImageId[]): Promise<void> {
    await this.#local.admit(0)
    // In parts, between which others have their turn: one could name a hundred thousand.
    for (let start = 0; start < ids.length; start += announcedAtOnce) {
      await this.#metadata.announceV1({ ...this.#of(image), principal }, ids.slice(start, start + announcedAtOnce))
      await setImmediate() // The database answers at once.
    }
  }

  /** All of what was announced has come. */
  async endPush(image: ImageName, principal: string): Promise<void> {
    await this.#metadata.endV1Push({ ...this.#of(image), principal })
  }

  /** Throws MANIFEST_INVALID, and CONFLICT when the image is complete already. */
  async putJson(image: V1Image, by: V1Pusher): Promise<void> {
    const { push } = await this.#pushed(image.id, by)
    const kept = await this.#metadata.findV1Images(this.#local.key, image.id)
    if (kept.some(({ digest }) => digest !== image.digest)) throw otherContent(this.#local.key, image.id)
    if (await this.#isUsable(kept, push, by)) throw alreadyThere(image.id)
    await this.#ensureParent(push, image, by)
    if (!(await this.#metadata.setPushedJson(push, image.id, image.json))) throw notAnnounced(image.id)
  }

  /** Throws MANIFEST_UNKNOWN when the JSON has not come before; STORAGE_FULL, DENIED by the quota. */
  async putLayer(id: V1ImageId, bytes: AsyncIterable<Uint8Array>, by: V1Pusher): Promise<void> {
    const { push, json } = await this.#pushed(id, by)
    if (!json) throw (await this.#isThere(push, id, by)) ? alreadyThere(id) : imageUnknown(id)
    const image = parseV1Image(json)
    const { digest, size, payload, tarsums } = await this.#keepLayer(push, json, bytes)
    const layer = {
      digest,
      size,
      checksum: payload,
      tarsum: tarsums?.v0,
      tarsumV1: tarsums?.v1,
      isTarsumCertain: tarsums?.isV0Certain ?? false,
    }
    if (await this.#metadata.setPushedLayer(push, image, layer)) return
    throw new RegistryError('CONFLICT', { message: 'another push has begun the image anew meanwhile: push again' })
  }

  /** The image is complete with that. Throws DIGEST_INVALID when something else has arrived than was sent, CONFLICT in the wrong order. */
  async putChecksum(id: V1ImageId, said: SaidSums, by: V1Pusher): Promise<void> {
    const { push, json, layer } = await this.#pushed(id, by)
    // Who has sent it all learns of no other who was faster: docker would give the push up.
    if (!layer && (await this.#isThere(push, id, by))) throw alreadyThere(id)
    if (!json) throw imageUnknown(id)
    if (!layer)
      throw new RegistryError('CONFLICT', { message: 'Cannot set this image checksum: the layer comes before it' })
    compareSums(said, layer)
    const image = parseV1Image(json)
    await this.#ensureParent(push, image, by)
    await this.#metadata.putV1Image({ repository: push.repository, image: push.image }, image, layer)
  }

  /** Throws MANIFEST_UNKNOWN, TAG_FIXED, and DENIED for an immutable tag. */
  async putTag(image: ImageName, tag: Tag, id: V1ImageId, by: V1Pusher, mayTake: MayTake): Promise<void> {
    const of = this.#of(image)
    if (!(await this.#ensureIn(of, id, by))) throw imageUnknown(id)
    const put = (mayTake: MayTake) => this.#metadata.putV1Tag(of, tag, id, mayTake)
    if (!(await this.#local.keepingImmutable(image, mayTake, put))) throw imageUnknown(id)
  }

  /** Throws MANIFEST_INVALID when nobody may know the parent who pushes this. */
  async #ensureParent(push: V1Push, { parent }: V1Image, by: V1Pusher): Promise<void> {
    if (parent === undefined || (await this.#ensureIn(push, parent, by))) return
    throw new RegistryError('MANIFEST_INVALID', {
      message: 'Image depends on a non existing parent: push that first',
      detail: { parent },
    })
  }

  /** The image name comes to have the image with its ancestors, if it is anywhere that the pusher may take it from. */
  async #ensureIn({ repository, image }: ImageRef, id: V1ImageId, by: V1Pusher): Promise<boolean> {
    const kept = await this.#metadata.findV1Images(this.#local.key, id)
    if (await this.#isUsable(kept, { image }, by)) return true
    for (const { of, digest, isLost } of kept)
      if (of.image !== image && !isLost && (await by.mayRead(of.image, digest)))
        if (await this.#metadata.copyV1Images({ repository, image }, of, id)) return true
    return false
  }

  async #isThere(push: V1Push, id: V1ImageId, by: V1Pusher): Promise<boolean> {
    return this.#isUsable(await this.#metadata.findV1Images(this.#local.key, id), push, by)
  }

  /**
   * Whether one of these is in the image name, and the pusher may build on it: by its rights, or because it has sent the same itself. Else
   * whoever may push a part of an image name would come to what others keep there.
   */
  async #isUsable(kept: readonly KeptV1Image[], { image }: Pick<ImageRef, 'image'>, by: V1Pusher): Promise<boolean> {
    const there = kept.find(({ of, isLost }) => of.image === image && !isLost)
    if (!there) return false
    if (await by.mayBuildOn(image, there.digest)) return true
    const sent = await this.#metadata.findPushedV1(this.#local.key, there.id, by.principal)
    return sent.some((pushed) => pushed.push.image === image && isSame(pushed, there))
  }

  /** The image name that it is being pushed to. */
  async #pushed(id: V1ImageId, by: V1Pusher): Promise<PushedV1Image> {
    for (const pushed of await this.#metadata.findPushedV1(this.#local.key, id, by.principal))
      if (await by.mayDeploy(pushed.push.image)) return pushed
    throw notAnnounced(id)
  }

  async #keepLayer(
    { image, principal }: V1Push,
    json: Uint8Array,
    bytes: AsyncIterable<Uint8Array>,
  ): Promise<LayerSums & { readonly digest: Digest; readonly size: number }> {
    const sums = new LayerChecksums(json)
    const kept = await bringBlob(this.#local, {
      image,
      principal: principal || undefined,
      algorithm: 'sha256',
      append: (upload) => this.#local.append(image, upload, 0, sums.watch(bytes)),
      digest: (upload) => this.#blobs.digest(upload),
    })
    return { ...kept, ...(await sums.finish()) }
  }

  #of(image: ImageName): ImageRef {
    return { repository: this.#local.key, image }
  }
}

/** The first is for docker, which takes it for "no need to send the rest", and looks at no more than these words. */
function alreadyThere(id: V1ImageId): RegistryError {
  return new RegistryError('CONFLICT', { message: 'Image already exists', detail: { id } })
}

function notAnnounced(id: V1ImageId): RegistryError {
  return new RegistryError('MANIFEST_INVALID', {
    message:
      'This image does not belong to the repository: announce it by PUT /v1/repositories/<name>/ first, as docker push does',
    detail: { id },
  })
}

/** Of what was sent and what is kept. The same files may be there in another compression. */
function isSame({ json, layer }: PushedV1Image, kept: KeptV1Image): boolean {
  if (!json || !layer || parseV1Image(json).digest !== kept.digest) return false
  return layer.digest === kept.layer.digest || (layer.tarsum !== undefined && layer.tarsum === kept.layer.tarsum)
}

function otherContent(key: RepositoryKey, id: V1ImageId): RegistryError {
  return new RegistryError('CONFLICT', {
    message: `the repository ${key} has the image ${id} with another content`,
    detail: { id },
  })
}
