import type { Digest } from '../../domain/digest.ts'
import type { ImageName } from '../../domain/names.ts'

/** Who asks for an image by its id, which says nothing of the image name that it is in. */
export interface V1Reader {
  /** Whether it may read this image of the image name; `digest` is that of its JSON. */
  mayRead(image: ImageName, digest: Digest): Promise<boolean>
}
