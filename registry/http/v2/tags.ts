import { RegistryError } from '../../domain/errors.ts'
import type { Context } from '../context.ts'
import { publicName, publicUrl, publicView, type ImageCall } from './call.ts'
import { answerJson, parsePageRequest, setNextLink } from './page.ts'

/** end-8a and end-8b. */
export async function listTags(ctx: Context, call: ImageCall<'tags'>): Promise<void> {
  const { repository, image } = call
  const { after, limit } = parsePageRequest(ctx)
  const page = await repository.tags(image, after, limit)
  const name = publicName(publicView(ctx, call), repository.key, image)
  if (!page) throw new RegistryError('NAME_UNKNOWN', { detail: { name } })
  if (limit > 0 && page.next !== undefined) setNextLink(ctx, publicUrl(ctx, call, 'tags/list'), limit, page.next)
  answerJson(ctx, { name, tags: page.items })
}
