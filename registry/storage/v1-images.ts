import type { Digest } from '../domain/digest.ts'
import type { ImageRef, MayTake, RepositoryKey, Tag } from '../domain/names.ts'
import type { V1Image, V1ImageId } from '../domain/v1-image.ts'

/** What is known of the bytes of a layer together with the JSON of its image. */
export interface V1Layer {
  /** The blob with the bytes as they were pushed, compressed or not. */
  readonly digest: Digest
  /** `X-Docker-Checksum-Payload`: SHA-256 of the JSON, a line feed and the bytes. */
  readonly checksum: Digest
  /** `tarsum+sha256:<hex>`; undefined when the bytes are no tar that could be read. */
  readonly tarsum: string | undefined
}

/** An image that is complete, and that never changes. Its JSON is a manifest of the image name: many of them are large. */
export interface KeptV1Image extends Omit<V1Image, 'json'> {
  /** The image name that has it. */
  readonly of: ImageRef
  readonly layer: V1Layer & { readonly size: number }
  /** The bytes of its layer turned out to be wrong, or gone; it is whole again when they are sent once more. */
  readonly isLost: boolean
}

/** Somebody pushes to an image name. */
export interface V1Push extends ImageRef {
  /** Name of who pushes; empty for anonymous. */
  readonly principal: string
}

/** As it has come in. */
export interface PushedV1Layer extends V1Layer {
  readonly size: number
  /** `tarsum.v1+sha256:<hex>`: the same by tarsum's version 1. */
  readonly tarsumV1: string | undefined
  /** Whether docker must have had the same `tarsum`. */
  readonly isTarsumCertain: boolean
}

/** An image on its way in: announced, then with its JSON, then with its layer. */
export interface PushedV1Image {
  readonly push: V1Push
  readonly id: V1ImageId
  readonly json: Uint8Array | undefined
  readonly layer: PushedV1Layer | undefined
}

/**
 * Images of the V1 API, which an image name has as it has manifests ({@link Images}): found by tag, held, deleted and collected as these are.
 * An id stands for one content in a repository, whichever image names have it. Each method is one transaction.
 */
export interface V1Images {
  /**
   * From now on, until the push ends, garbage collection leaves alone what of these images is in the image name, or in others of the
   * repository, from which it may be copied.
   */
  announceV1(push: V1Push, ids: readonly V1ImageId[]): Promise<void>
  /** The image names that the principal has announced the image for, the latest first. */
  findPushedV1(repository: RepositoryKey, id: V1ImageId, principal: string): Promise<readonly PushedV1Image[]>
  /** Begins the image anew, unless it has the same JSON already. False when it is not announced. */
  setPushedJson(push: V1Push, id: V1ImageId, json: Uint8Array): Promise<boolean>
  /** False when it is not announced, or has another JSON than the one that `layer` was hashed with. */
  setPushedLayer(push: V1Push, image: V1Image, layer: PushedV1Layer): Promise<boolean>
  /** All was sent. What of it nothing else holds has its time of grace from now on. */
  endV1Push(push: V1Push): Promise<void>
  /** Forgets pushes of which nothing has been touched since then. Resolves with how many images that was about. */
  expireV1Pushes(since: Date, limit: number): Promise<number>

  /**
   * The image is complete. Where the repository has it with the same files in other bytes, it is these that the image name comes to have.
   * Throws MANIFEST_BLOB_UNKNOWN when the image name has not its layer or its parent, CONFLICT when the repository has another content by
   * this id.
   */
  putV1Image(of: ImageRef, image: V1Image, layer: V1Layer): Promise<void>
  /** Gives an image name the image and its ancestors that another one has. False when that has them not, or has lost a layer of them. */
  copyV1Images(to: ImageRef, from: ImageRef, id: V1ImageId): Promise<boolean>
  /** In every image name of the repository that has it. */
  findV1Images(repository: RepositoryKey, id: V1ImageId): Promise<readonly KeptV1Image[]>
  /** The image itself, then its parent, and so on; empty when the image name has it not. */
  v1Ancestry(of: ImageRef, id: V1ImageId): Promise<readonly KeptV1Image[]>
  /** All images that the image name has, in the order of their ids. */
  listV1Images(of: ImageRef, after: V1ImageId | undefined, limit: number): Promise<readonly KeptV1Image[]>
  /** The image that the tag is on; of an image name all tags, in byte order. */
  findV1Tag(of: ImageRef, tag: Tag): Promise<V1ImageId | undefined>
  listV1Tags(of: ImageRef): Promise<readonly { readonly tag: Tag; readonly id: V1ImageId }[]>
  /** False when the image name has not the image. Throws TAG_FIXED. */
  putV1Tag(of: ImageRef, tag: Tag, id: V1ImageId, mayTake?: MayTake): Promise<boolean>
}
