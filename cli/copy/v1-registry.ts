import type { Readable } from 'node:stream'
import { isObject } from '../../registry/domain/json.ts'
import { isImageName, isTag, type ImageName, type Tag } from '../../registry/domain/names.ts'
import { isV1ImageId, type V1ImageId } from '../../registry/domain/v1-image.ts'
import type { V1Images } from './v1-images.ts'
import type { V1Requests } from './v1-requests.ts'

const maxJsonBytes = 4 * 1024 * 1024
const maxListBytes = 64 * 1024 * 1024
const pageSize = 100
const maxPages = 10_000

/** A registry of the V1 API, as far as images are read from it. */
export class V1Registry implements V1Images {
  readonly name: string
  readonly problems: { of: string; problem: string }[] = []
  readonly #requests: V1Requests
  readonly #tags = new Map<ImageName, Promise<ReadonlyMap<Tag, V1ImageId> | undefined>>()

  constructor(requests: V1Requests) {
    this.name = requests.name
    this.#requests = requests
  }

  async images(): Promise<readonly ImageName[]> {
    const names = new Set<string>()
    for (let page = 1; page <= maxPages; page++) {
      const found = await this.#requests.getJson(`search?q=&n=${pageSize}&page=${page}`, undefined, maxListBytes)
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
    const answer = await this.#requests.get(`images/${id}/json`, image)
    return answer && (await this.#requests.read(answer, maxJsonBytes))
  }

  async layer(image: ImageName, id: V1ImageId): Promise<Readable | undefined> {
    const answer = await this.#requests.get(`images/${id}/layer`, image)
    return answer && this.#requests.body(answer)
  }

  async checksums(image: ImageName, id: V1ImageId): Promise<readonly string[]> {
    const answer = await this.#requests.get(`images/${id}/json`, image)
    await answer?.discard()
    return answer?.header('x-docker-checksum-payload')?.match(/sha256:[0-9a-f]{64}/g) ?? []
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#requests[Symbol.asyncDispose]()
  }

  async #readTags(image: ImageName): Promise<ReadonlyMap<Tag, V1ImageId> | undefined> {
    const found = await this.#requests.getJson(`repositories/${withNamespace(image)}/tags`, image, maxListBytes)
    if (!isObject(found)) return undefined
    const tags = new Map<Tag, V1ImageId>()
    for (const [tag, id] of Object.entries(found))
      if (isTag(tag) && typeof id === 'string' && isV1ImageId(id)) tags.set(tag, id)
      else this.problems.push({ of: `${image}:${tag}`, problem: 'it has no id of an image, or no tag that is taken' })
    return tags
  }
}

/** docker asked for the tags of `ubuntu` as those of `library/ubuntu`. */
export function withNamespace(image: ImageName): string {
  return image.includes('/') ? image : `library/${image}`
}
