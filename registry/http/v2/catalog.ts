import type { AccessRules } from '../../domain/access-rules.ts'
import type { Principal } from '../../domain/permissions.ts'
import { principalOf } from '../../identity/authenticate.ts'
import { isKnown } from '../../repositories/reachable.ts'
import type { Repository } from '../../repositories/repository.ts'
import type { Context } from '../context.ts'
import type { Services } from '../services.ts'
import { findRepository } from './address.ts'
import { publicView, type Call } from './call.ts'
import { answerJson, parsePageRequest, setNextLink, type PageRequest } from './page.ts'
import { readerOf } from './reader.ts'

/** Distribution's `_catalog`: the images that the caller may read, of one repository or of all local ones. */
export async function listCatalog(ctx: Context, call: Call): Promise<void> {
  const { services, address, caller } = call
  const reader = { principal: principalOf(caller), rules: await services.directory.rules() }
  const request = parsePageRequest(ctx)
  const sections = address.key === undefined ? allSections(services) : [ownSection(call, address.key)]
  const names: string[] = []
  for await (const name of namesAfter(sections, request, reader)) {
    if (names.length === request.limit) {
      linkToNext(ctx, call, request.limit, names.at(-1))
      break
    }
    names.push(name)
  }
  answerJson(ctx, { repositories: names })
}

function linkToNext(ctx: Context, call: Call, limit: number, last: string | undefined): void {
  const { origin, base } = publicView(ctx, call)
  if (last !== undefined) setNextLink(ctx, `${origin}${base}/_catalog`, limit, last)
}

interface Reader {
  readonly principal: Principal
  readonly rules: AccessRules
}

/** A repository and what its images' names begin with in this catalog. */
interface Section {
  readonly prefix: string
  readonly repository: Repository
}

/** In the byte order of the names, which is not that of the keys: "docker-local/…" comes before "docker/…". */
function allSections({ config, repositories }: Services): readonly Section[] {
  return repositories
    .list()
    .filter(({ key }) => {
      const settings = config.repositories[key]
      return settings?.type === 'local' && settings.apiVersion === 'v2'
    })
    .map((repository) => ({ prefix: `${repository.key}/`, repository }))
    .sort((one, other) => (one.prefix < other.prefix ? -1 : 1))
}

async function* namesAfter(
  sections: readonly Section[],
  { after, limit }: PageRequest,
  { principal, rules }: Reader,
): AsyncGenerator<string> {
  for (const { prefix, repository } of sections) {
    const { key } = repository
    if (rules.extentOf(principal, 'read', key) === 'none') continue
    const within = after?.startsWith(prefix) ?? false
    if (after !== undefined && !within && prefix < after) continue
    let from = within ? after?.slice(prefix.length) : undefined
    do {
      const page = await repository.images(from, limit + 1)
      for (const image of page.items)
        if (await isKnown(repository, image, rules.tagsOf(principal, 'read', key, image))) yield prefix + image
      from = page.next
    } while (from !== undefined)
  }
}

function ownSection({ services, caller }: Call, key: string): Section {
  const repository = findRepository(services.repositories, key).seenBy(readerOf(services, caller, undefined))
  return { prefix: '', repository }
}
