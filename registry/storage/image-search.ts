import type { ImageName, RepositoryKey } from '../domain/names.ts'

export interface FoundImage {
  readonly image: ImageName
  /** Empty when nobody has said what it is. */
  readonly description: string
}

export interface ImageSearch {
  /**
   * Images that have a tag, and whose name or description contains the text, letters of ASCII in any case; in byte order. `next` is
   * where to look on from, also when this part of them has none: no call looks at more than some hundreds.
   */
  searchImages(
    repository: RepositoryKey,
    text: string,
    after: ImageName | undefined,
  ): Promise<{ readonly items: readonly FoundImage[]; readonly next: ImageName | undefined }>
}
