import type { Digest } from '../domain/digest.ts'
import type { Compression } from '../domain/rebuilt-manifest.ts'

/** How the tar of a layer is packed. The last two came from the first versions of docker. */
export type Packing = Compression | 'bzip2' | 'xz'

/** What has been found in a blob that is a layer, by reading all of it. */
export interface LayerContent {
  readonly digest: Digest
  /** Of the bytes as they are unpacked. */
  readonly diffId: Digest
  readonly packing: Packing
  /** The blob with the same in gzip; that may be gone by now. Undefined when none was made. */
  readonly inGzip: Digest | undefined
}

/** So that no layer is read twice. Each method is one transaction. */
export interface LayerContents {
  /** Undefined when nobody has read it, or it is not kept. */
  findLayerContent(digest: Digest): Promise<LayerContent | undefined>
  /** Nothing when the blob has gone meanwhile. */
  noteLayerContent(content: LayerContent): Promise<void>
}
