import { challenge, identify } from '../../api/identify.ts'
import { admitsAnonymous } from '../../domain/access-rules.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { RepositoryKey } from '../../domain/names.ts'
import { noTag } from '../../domain/tag-set.ts'
import { principalOf, type Caller } from '../../identity/authenticate.ts'
import type { SearchPage, SearchQuestion } from '../../repositories/image-search.ts'
import type { Context } from '../context.ts'
import type { Services } from '../services.ts'
import { findRepository } from '../v2/address.ts'
import { answerJson } from '../v2/page.ts'

const maxTextLength = 255
const maxOnPage = 100
const usualOnPage = 25

/**
 * `docker search`, of any version, in the repository or in all of them: Docker Hub API 1.9, "Search". Finds what is here that the caller
 * may read.
 */
export async function answerSearch(ctx: Context, services: Services, key: string | undefined): Promise<void> {
  const repository = key === undefined ? undefined : findRepository(services.repositories, key).key
  const caller = await callerOf(ctx, services, repository)
  const { text, page, limit } = parseSearch(ctx)
  const readable = await readableBy(caller, services)
  const found = await services.imageSearch.search(repository, { text, page, limit, readable })
  answerJson(ctx, bodyOf({ text, page, limit }, found))
}

type Asked = Pick<SearchQuestion, 'text' | 'page' | 'limit'>

function bodyOf({ text, page, limit }: Asked, { results, total }: SearchPage) {
  return {
    query: text,
    num_results: total,
    num_pages: Math.ceil(total / limit),
    page,
    page_size: limit,
    results: results.map(({ name, description }) => ({
      name,
      description,
      star_count: 0,
      is_official: false,
      is_automated: false,
      is_trusted: false,
    })),
  }
}

/** Throws BAD_REQUEST, PAGINATION_NUMBER_INVALID. */
function parseSearch(ctx: Context): Asked {
  const query = new URLSearchParams(ctx.state.target.query)
  const text = query.get('q') ?? ''
  if (text.length > maxTextLength)
    throw new RegistryError('BAD_REQUEST', {
      message: `the query parameter q is too long: expected at most ${maxTextLength} characters`,
    })
  const limit = numberIn(query, 'n', maxOnPage) ?? usualOnPage
  return { text, page: numberIn(query, 'page', Number.MAX_SAFE_INTEGER) ?? 1, limit }
}

/** Undefined when it is not said. */
function numberIn(query: URLSearchParams, name: 'n' | 'page', most: number): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (number >= 1 && number <= most) return number
  const range = most === maxOnPage ? `from 1 to ${most}` : 'from 1 on'
  throw new RegistryError('PAGINATION_NUMBER_INVALID', {
    message: `the query parameter ${name} is "${text}": expected a number ${range}`,
    detail: { [name]: text },
  })
}

/** Throws UNAUTHORIZED with a challenge: docker knows passwords alone here. */
async function callerOf(ctx: Context, services: Services, repository: RepositoryKey | undefined): Promise<Caller> {
  const caller = await identify(ctx, services)
  return caller.by !== 'nothing' || admitsAnonymous(services.config, repository) ? caller : challenge(ctx)
}

/** A token is good for the images that it names, or for lists of them: docker asks for one for `registry:catalog:search`. */
async function readableBy(caller: Caller, { directory }: Services): Promise<SearchQuestion['readable']> {
  const rules = await directory.rules()
  return ({ repository, image }, through) => {
    const asked = through[0] ?? repository
    if (caller.by === 'token' && !caller.token.catalog) {
      const isGranted = caller.token.grants.some(
        (grant) => grant.repository === asked && grant.image === image && grant.actions.includes('read'),
      )
      if (!isGranted) return noTag
    }
    return rules.tagsOf(principalOf(caller), 'read', repository, image, through)
  }
}
