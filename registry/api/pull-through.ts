import { Readable } from 'node:stream'
import { z } from 'zod'
import { RegistryError } from '../domain/errors.ts'
import { isTagGlob } from '../domain/glob.ts'
import { isImageName, type ImageName } from '../domain/names.ts'
import type { Context } from '../http/context.ts'
import type { Services } from '../http/services.ts'
import { tagsAllowed } from '../http/v2/access.ts'
import { findRepository } from '../http/v2/address.ts'
import { readerOf } from '../http/v2/reader.ts'
import { prefetch, type Wanted } from '../repositories/prefetch.ts'
import type { Repository } from '../repositories/repository.ts'
import { readJson } from './read-fields.ts'
import { requireLogin } from './require.ts'

const form = z.strictObject({
  image: z.string().refine(isImageName, 'expected an image, like library/nginx'),
  tags: z.array(z.string().refine(isTagGlob, 'expected a tag, in which * stands for any characters')).min(1),
  platforms: z.array(z.string().min(1)).optional(),
})

/**
 * Has a repository fetch images before anybody pulls them. Answers with a line of JSON for each manifest and blob as soon as it is there, and
 * a last one that says whether that was all; what was begun goes on when the client goes away.
 */
export async function pullThrough(ctx: Context, services: Services, key: string): Promise<void> {
  const caller = await requireLogin(ctx, services)
  const wanted = await readJson(ctx, form)
  const repository = findRepository(services.repositories, key)
  const { image } = wanted
  const readable = await tagsAllowed(services, caller, 'read', { repository: repository.key, image })
  if (readable.extent === 'none')
    throw new RegistryError('DENIED', { message: `${caller.principal.name} may not read ${key}/${image}` })
  ctx.status = 200
  ctx.set('Content-Type', 'application/x-ndjson')
  ctx.body = Readable.from(
    lines(repository.seenBy(readerOf(services, caller, undefined)), { ...wanted, among: readable }),
  )
}

async function* lines(repository: Repository, wanted: Wanted & { readonly image: ImageName }): AsyncGenerator<string> {
  let parts = 0
  try {
    for await (const fetched of prefetch(repository, wanted, new AbortController().signal)) {
      parts += 1
      yield `${JSON.stringify(fetched)}\n`
    }
    const message = parts === 0 ? 'there is no such image' : undefined
    yield `${JSON.stringify(message === undefined ? { done: true } : { done: false, message })}\n`
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error
    yield `${JSON.stringify({ done: false, message: error.message })}\n`
  }
}
