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
  const { repository, image, allowed } = call
  if (allowed.extent === 'all') return repository.tags(image, after, limit)
  const items: Tag[] = []
  let from = after
  for (;;) {
    const page = await repository.tags(image, from, Math.max(limit, 1))
    if (!page) return undefined
    for (const tag of page.items) {
      if (!allowed.has(tag)) continue
      if (items.length === limit) return { items, next: items.at(-1) }
      items.push(tag)
    }
    if (page.next === undefined) break
    from = page.next
  }
  return items.length === 0 && after === undefined ? undefined : { items, next: undefined }
}
