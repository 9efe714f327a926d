import { RegistryError } from '../../domain/errors.ts'
import type { Tag } from '../../domain/names.ts'
import type { Page } from '../../storage/metadata-store.ts'
import type { Context } from '../context.ts'
import { publicName, publicUrl, publicView, type ImageCall } from './call.ts'
import { answerJson, parsePageRequest, setNextLink, type PageRequest } from './page.ts'

/** end-8a and end-8b: the tags that the caller may read. */
export async function listTags(ctx: Context, call: ImageCall<'tags'>): Promise<void> {
  const request = parsePageRequest(ctx)
  const page = await pageOf(call, request)
  const name = publicName(publicView(ctx, call), call.repository.key, call.image)
  if (!page) throw new RegistryError('NAME_UNKNOWN', { detail: { name } })
  const { limit } = request
  if (limit > 0 && page.next !== undefined) setNextLink(ctx, publicUrl(ctx, call, 'tags/list'), limit, page.next)
  answerJson(ctx, { name, tags: page.items })
}

/** Undefined when there is no such image, or none that the caller may know of. */
async function pageOf(call: ImageCall<'tags'>, { after, limit }: PageRequest): Promise<Page<Tag> | undefined> {
  if (call.allowed.extent === 'all') return call.repository.tags(call.image, after, limit)
  const items: Tag[] = []
  for await (const tag of tagsAfter(call, after)) {
    if (items.length === limit) return { items, next: items.at(-1) }
    items.push(tag)
  }
  // A last page may be empty, of an image that has others.
  if (items.length === 0 && (after === undefined || (await tagsAfter(call, undefined).next()).done)) return undefined
  return { items, next: undefined }
}

const tagsAtOnce = 1000

/** Those that the caller may read. */
async function* tagsAfter(
  { repository, image, allowed }: ImageCall<'tags'>,
  after: string | undefined,
): AsyncGenerator<Tag, undefined> {
  let from = after
  do {
    const page = await repository.tags(image, from, tagsAtOnce)
    for (const tag of page?.items ?? []) if (allowed.has(tag)) yield tag
    from = page?.next
  } while (from !== undefined)
}
