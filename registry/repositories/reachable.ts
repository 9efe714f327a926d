import type { Digest } from '../domain/digest.ts'
import type { ImageName } from '../domain/names.ts'
import type { TagSet } from '../domain/tag-set.ts'
import type { Repository } from './repository.ts'

const tagsAtOnce = 1000

/** Whether one may come to the manifest or blob by these tags of its image. What no tag leads to is for those who have all. */
export async function isReachable(
  repository: Pick<Repository, 'tagsHolding'>,
  { image }: { readonly image: ImageName },
  digest: Digest,
  allowed: TagSet,
): Promise<boolean> {
  if (allowed.extent !== 'some') return allowed.extent === 'all'
  const tags = await repository.tagsHolding(image, digest)
  return tags.some((tag) => allowed.has(tag))
}

/** Who may read some tags alone knows of an image when it has one of these, here: a catalog is about very many images. */
export async function isKnown(
  repository: Pick<Repository, 'tags'>,
  image: ImageName,
  readable: TagSet,
): Promise<boolean> {
  if (readable.extent !== 'some') return readable.extent === 'all'
  let after: string | undefined
  do {
    const page = await repository.tags(image, after, tagsAtOnce, 'here')
    if (page?.items.some((tag) => readable.has(tag))) return true
    after = page?.next
  } while (after !== undefined)
  return false
}
