import type { Readable } from 'node:stream'
import type { ImageName, Tag } from '../../registry/domain/names.ts'
import type { V1ImageId } from '../../registry/domain/v1-image.ts'

/** Images of the V1 API, wherever they lie: each has its JSON and one layer, and names its parent. Absence is undefined. */
export interface V1Images extends AsyncDisposable {
  readonly name: string
  /** What was come upon that cannot be copied; complete when all is listed. */
  readonly problems?: readonly { readonly of: string; readonly problem: string }[]
  images(): Promise<readonly ImageName[] | undefined>
  tags(image: ImageName): Promise<ReadonlyMap<Tag, V1ImageId> | undefined>
  /** Rejects for an image that is not complete. */
  json(image: ImageName, id: V1ImageId): Promise<Uint8Array | undefined>
  layer(image: ImageName, id: V1ImageId): Promise<Readable | undefined>
  /** Of JSON and layer, as `sha256:<hex>`, any of which has to be right; none: nobody knows. */
  checksums(image: ImageName, id: V1ImageId): Promise<readonly string[]>
}
