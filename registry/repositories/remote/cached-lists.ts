import type { ImageName, ImageRef, Tag } from '../../domain/names.ts'
import { describeReferrer, type ReferrerDescriptor } from '../../domain/referrer.ts'
import type { Page, ReferrerQuery } from '../../storage/metadata-store.ts'
import type { ReferrerPage } from '../repository.ts'
import type { RemoteParts } from './cached-manifests.ts'
import { Flights } from './flights.ts'
import type { RememberedLists } from './remembered-lists.ts'
import { orFailing } from './upstream-errors.ts'

/** Lists of the upstream, as long as they are remembered; where it cannot be asked, or lists nothing, what is cached. */
export class CachedLists {
  readonly #parts: RemoteParts
  readonly #remembered: RememberedLists
  readonly #nameHere: (name: ImageName) => ImageName | undefined
  readonly #rememberMs: number
  readonly #flights = new Flights<readonly unknown[] | undefined>()

  /** `nameHere`: under which name an image of the upstream is kept here. */
  constructor(
    parts: RemoteParts,
    {
      remembered,
      rememberMs,
      nameHere,
    }: {
      readonly remembered: RememberedLists
      readonly rememberMs: number
      readonly nameHere: (name: ImageName) => ImageName | undefined
    },
  ) {
    this.#parts = parts
    this.#remembered = remembered
    this.#rememberMs = rememberMs
    this.#nameHere = nameHere
  }

  async tags(image: ImageName, after: string | undefined, limit: number): Promise<Page<Tag> | undefined> {
    const { upstream, nameThere, settings, metadata } = this.#parts
    const all = await this.#ask<Tag>(`tags ${image}`, () => upstream.tags(nameThere(image)))
    if (!all) return metadata.listTags(this.#of(image), after, limit)
    const included = settings.includes.tagsOf(image)
    return pageOf(all, after, limit, (tag) => included.has(tag))
  }

  /** Also those that are cached and not listed there. */
  async images(after: string | undefined, limit: number): Promise<Page<ImageName>> {
    const { upstream, settings, metadata, key } = this.#parts
    const there = await this.#ask<ImageName>('images', async () => {
      const names = (await upstream.images())?.map(this.#nameHere).filter((name) => name !== undefined)
      return names && [...new Set(names)].sort()
    })
    const isIncluded = (image: ImageName) => settings.includes.tagsOf(image).extent !== 'none'
    const cached = await metadata.listImages(key, after, limit)
    const upstreams = pageOf(there ?? [], after, limit, isIncluded)
    const both = [...new Set([...cached.items, ...upstreams.items])].sort()
    const items = both.slice(0, limit)
    const isLast = cached.next === undefined && upstreams.next === undefined && both.length === items.length
    return { items, next: isLast ? undefined : items.at(-1) }
  }

  async referrers(image: ImageName, query: ReferrerQuery): Promise<ReferrerPage> {
    const { upstream, nameThere } = this.#parts
    const all = await this.#ask<ReferrerDescriptor>(`referrers ${image}@${query.subject}`, () =>
      upstream.referrers(nameThere(image), query.subject),
    )
    return all ? referrerPage(all, query) : this.cachedReferrers(image, query)
  }

  async cachedReferrers(image: ImageName, query: ReferrerQuery): Promise<ReferrerPage> {
    const { items, next } = await this.#parts.metadata.listReferrers(this.#of(image), query)
    return { items: items.map(describeReferrer), next }
  }

  /** Undefined when the upstream has no such list, or cannot be asked for it. */
  async #ask<item>(
    name: string,
    ask: () => Promise<readonly item[] | undefined>,
  ): Promise<readonly item[] | undefined> {
    const { settings, freshness, log, key } = this.#parts
    if (settings.offline) return undefined
    const remembered = this.#remembered.get(name)
    if (remembered) return remembered as readonly item[]
    if ((await freshness.of(name)) !== undefined) return undefined
    const found = await this.#flights.join(name, () =>
      orFailing<readonly unknown[] | undefined>(
        async () => {
          const list = await ask()
          if (!list) await freshness.miss(name)
          else if (this.#rememberMs > 0) this.#remembered.set(name, list, this.#rememberMs)
          return list
        },
        async (failure) => {
          log.warn({ repository: key, list: name, err: failure }, 'the upstream cannot be asked for a list')
          await freshness.postpone(name, failure.message)
          return undefined
        },
      ),
    )
    return found as readonly item[] | undefined
  }

  #of(image: ImageName): ImageRef {
    return { repository: this.#parts.key, image }
  }
}

/** Of a list in the order of the digests. */
function referrerPage(all: readonly ReferrerDescriptor[], { artifactType, after, limit }: ReferrerQuery): ReferrerPage {
  const wanted = all.filter(
    (one) =>
      (artifactType === undefined || one.artifactType === artifactType) && (after === undefined || one.digest > after),
  )
  const items = wanted.slice(0, limit)
  return { items, next: wanted.length > limit ? items.at(-1)?.digest : undefined }
}

/** Of a list in byte order. Only what is on the page, and one more, is looked at: there may be a hundred thousand. */
function pageOf<name extends string>(
  all: readonly name[],
  after: string | undefined,
  limit: number,
  isIncluded: (name: name) => boolean,
): Page<name> {
  const items: name[] = []
  for (let at = after === undefined ? 0 : placeAfter(all, after); at < all.length; at++) {
    const name = all[at]
    if (name === undefined || !isIncluded(name)) continue
    if (items.length === limit) return { items, next: items.at(-1) }
    items.push(name)
  }
  return { items, next: undefined }
}

/** Where in the list the first name stands that comes after this one. */
function placeAfter(all: readonly string[], after: string): number {
  let [low, high] = [0, all.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((all[middle] ?? '') > after) high = middle
    else low = middle + 1
  }
  return low
}
