import type { Readable } from 'node:stream'
import { isObject, parseJson } from '../../registry/domain/json.ts'
import { isImageName, isTag, type ImageName, type Tag } from '../../registry/domain/names.ts'
import { isV1ImageId, type V1ImageId } from '../../registry/domain/v1-image.ts'
import { basicAuthorization, type Login } from '../../registry/repositories/upstream/login.ts'
import type { OpenRequests } from '../../registry/repositories/upstream/open-requests.ts'
import { UpstreamFailure } from '../../registry/repositories/upstream/upstream.ts'
import type { WireAnswer } from '../../registry/repositories/upstream/wire-answer.ts'
import type { V1Images } from './v1-images.ts'

const maxJsonBytes = 4 * 1024 * 1024
const maxListBytes = 64 * 1024 * 1024
const pageSize = 100
const maxPages = 10_000

/** A registry of the V1 API: one that stands alone, and is shown the password with each request, or one with an index, which gives tokens. */
export class V1Registry implements V1Images {
  readonly name: string
  readonly problems: { of: string; problem: string }[] = []
  readonly #open: OpenRequests
  /** Ends with /v1/. */
  readonly #base: URL
  readonly #login: Extract<Login, { kind: 'password' }> | undefined
  readonly #tokens = new Map<ImageName, Promise<string | undefined>>()
  readonly #tags = new Map<ImageName, Promise<ReadonlyMap<Tag, V1ImageId> | undefined>>()

  constructor(open: OpenRequests, login: Login | undefined) {
    this.name = open.name
    this.#open = open
    this.#base = new URL(open.base.pathname.replace(/v2\/$/, 'v1/'), open.base)
    this.#login = login?.kind === 'password' ? login : undefined
  }

  async images(): Promise<readonly ImageName[]> {
    const names = new Set<string>()
    for (let page = 1; page <= maxPages; page++) {
      const found = await this.#json(`search?q=&n=${pageSize}&page=${page}`, undefined, maxListBytes)
      const results = isObject(found) && Array.isArray(found.results) ? (found.results as readonly unknown[]) : []
      const before = names.size
      for (const result of results) if (isObject(result) && typeof result.name === 'string') names.add(result.name)
      // One that knows no pages gives all of them each time.
      if (names.size === before || !isObject(found) || Number(found.num_pages ?? 1) <= page) break
    }
    for (const name of [...names].filter((name) => !isImageName(name)))
      this.problems.push({ of: name, problem: 'no registry of today takes such a name' })
    return [...names].filter(isImageName).sort()
  }

  async tags(image: ImageName): Promise<ReadonlyMap<Tag, V1ImageId> | undefined> {
    const known = this.#tags.get(image)
    if (known) return await known
    const tags = this.#readTags(image)
    this.#tags.set(image, tags)
    tags.catch(() => this.#tags.delete(image))
    return await tags
  }

  async json(image: ImageName, id: V1ImageId): Promise<Uint8Array | undefined> {
    const answer = await this.#ask(`images/${id}/json`, image)
    return answer && (await this.#open.wire.read(answer, maxJsonBytes))
  }

  async layer(image: ImageName, id: V1ImageId): Promise<Readable | undefined> {
    const answer = await this.#ask(`images/${id}/layer`, image)
    return answer && this.#open.wire.body(answer)
  }

  async checksums(image: ImageName, id: V1ImageId): Promise<readonly string[]> {
    const answer = await this.#ask(`images/${id}/json`, image)
    await answer?.discard()
    return answer?.header('x-docker-checksum-payload')?.match(/sha256:[0-9a-f]{64}/g) ?? []
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open.connection[Symbol.asyncDispose]()
  }

  async #readTags(image: ImageName): Promise<ReadonlyMap<Tag, V1ImageId> | undefined> {
    const found = await this.#json(`repositories/${withNamespace(image)}/tags`, image, maxListBytes)
    if (!isObject(found)) return undefined
    const tags = new Map<Tag, V1ImageId>()
    for (const [tag, id] of Object.entries(found))
      if (isTag(tag) && typeof id === 'string' && isV1ImageId(id)) tags.set(tag, id)
      else this.problems.push({ of: `${image}:${tag}`, problem: 'it has no id of an image, or no tag that is taken' })
    return tags
  }

  async #json(path: string, image: ImageName | undefined, maxBytes: number): Promise<unknown> {
    const answer = await this.#ask(path, image)
    if (!answer) return undefined
    const parsed = parseJson(await this.#open.wire.read(answer, maxBytes))
    if ('value' in parsed) return parsed.value
    throw new UpstreamFailure('wrong', `${this.name}/v1/${path} is answered with what is no JSON: ${parsed.problem}`)
  }

  /** Undefined for 404. */
  async #ask(path: string, image: ImageName | undefined): Promise<WireAnswer | undefined> {
    const url = new URL(path, this.#base)
    const token = image === undefined ? undefined : await this.#tokenFor(image)
    const authorization = token ?? (this.#login && basicAuthorization(this.#login))
    const answer = await this.#open.wire.follow({
      method: 'GET',
      url,
      headers: authorization === undefined ? {} : { authorization },
    })
    if (answer.status === 200) return answer
    await answer.discard()
    if (answer.status === 404) return undefined
    throw failureOf(answer, `GET ${url.origin}${url.pathname}`, this.#login)
  }

  /** What the index gives for the image; undefined when the registry needs none. */
  async #tokenFor(image: ImageName): Promise<string | undefined> {
    const known = this.#tokens.get(image)
    if (known) return await known
    const token = this.#fetchToken(image)
    this.#tokens.set(image, token)
    token.catch(() => this.#tokens.delete(image))
    return await token
  }

  async #fetchToken(image: ImageName): Promise<string | undefined> {
    if (await this.#standsAlone()) return undefined
    const url = new URL(`repositories/${image}/images`, this.#base)
    const authorization = this.#login && basicAuthorization(this.#login)
    const headers = { 'x-docker-token': 'true', ...(authorization !== undefined && { authorization }) }
    const answer = await this.#open.wire.follow({ method: 'GET', url, headers })
    await answer.discard()
    if (answer.status !== 200 && answer.status !== 404) throw failureOf(answer, `GET ${url.href}`, this.#login)
    const token = answer.header('x-docker-token')
    return token === undefined ? undefined : `Token ${token.replace(/^Token /, '')}`
  }

  /** As its ping says, or does not say (docker took it for alone then). */
  async #standsAlone(): Promise<boolean> {
    const answer = await this.#open.wire.follow({ method: 'GET', url: new URL('_ping', this.#base), headers: {} })
    await answer.discard()
    const said = answer.header('x-docker-registry-standalone')
    return said === undefined || said === '' || /^(true|1)$/i.test(said)
  }
}

/** docker asked for the tags of `ubuntu` as those of `library/ubuntu`. */
function withNamespace(image: ImageName): string {
  return image.includes('/') ? image : `library/${image}`
}

function failureOf({ status }: WireAnswer, what: string, login: Login | undefined): UpstreamFailure {
  const message = `${what} is answered with ${status}`
  if (status === 401 || status === 403)
    return new UpstreamFailure('refused', `${message}, ${login ? 'with' : 'without'} credentials`)
  const kind = status === 429 ? 'limited' : status >= 500 ? 'unreachable' : 'wrong'
  return new UpstreamFailure(kind, message)
}
