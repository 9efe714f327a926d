import type { Digest } from '../../registry/domain/digest.ts'
import type { ImageName, Reference, Tag } from '../../registry/domain/names.ts'
import type { V1ImageId } from '../../registry/domain/v1-image.ts'

export interface Task {
  readonly from: { readonly image: ImageName; readonly reference: Reference }
  /** Without a tag it is found by its digest alone. */
  readonly to: { readonly image: ImageName; readonly tag: Tag | undefined }
}

export interface Sum {
  /** Of the V1 API: images. */
  manifests: number
  blobs: number
  mounted: number
  bytes: number
}

/** `there`: nothing had to be done. */
export type Copied = { readonly kind: 'copied' | 'there'; readonly sum: Readonly<Sum> } & (
  | { readonly digest: Digest }
  /** Of the V1 API. */
  | { readonly id: V1ImageId }
)

/** What a dry run tells; `to compare`: something is there, and only copying tells whether it is the same. */
export type Compared = Copied | { readonly kind: 'to copy' | 'to compare' }

export function nothingYet(): Sum {
  return { manifests: 0, blobs: 0, mounted: 0, bytes: 0 }
}

/** Copies images from one place to another. Rejects with what a person can do something about. */
export interface Copier {
  /** Whether images under such a tag go by themselves. */
  takes(tag: Tag): boolean
  /** Rejects where there is no registry, or where it does not let us in as one who pushes this image. */
  login(image: ImageName): Promise<void>
  copy(task: Task): Promise<Copied>
  compare(task: Task): Promise<Compared>
}
