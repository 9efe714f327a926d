import type { ImageName, ImageRef, RepositoryKey, Tag } from '../../domain/names.ts'
import type { V1ImageId } from '../../domain/v1-image.ts'
import type { Images } from '../../storage/metadata-store.ts'
import type { V1Images } from '../../storage/v1-images.ts'

const imagesAtOnce = 1000

/** A tag of a V1 repository, and the image that it is on. */
export interface V1Tag {
  readonly of: ImageRef
  readonly tag: Tag
  readonly id: V1ImageId
}

/** Undefined: all of them. */
export interface Wanted {
  readonly image?: ImageName | undefined
  readonly tag?: Tag | undefined
}

/** In the order of their names. */
export async function* v1Tags(
  metadata: Pick<Images, 'listImages'> & Pick<V1Images, 'listV1Tags'>,
  repository: RepositoryKey,
  { image, tag: wanted }: Wanted,
): AsyncGenerator<V1Tag> {
  for await (const name of image === undefined ? imagesOf(metadata, repository) : [image]) {
    const of = { repository, image: name }
    for (const { tag, id } of await metadata.listV1Tags(of))
      if (wanted === undefined || tag === wanted) yield { of, tag, id }
  }
}

async function* imagesOf(metadata: Pick<Images, 'listImages'>, repository: RepositoryKey): AsyncGenerator<ImageName> {
  let after: ImageName | undefined
  do {
    const page = await metadata.listImages(repository, after, imagesAtOnce)
    yield* page.items
    after = page.next
  } while (after !== undefined)
}
