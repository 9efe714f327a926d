import { setImmediate } from 'node:timers/promises'
import type { RegistryConfig, RepositoryConfig } from '../config.ts'
import { isRepositoryKey, type ImageName, type ImageRef, type RepositoryKey } from '../domain/names.ts'
import type { TagSet } from '../domain/tag-set.ts'
import type { FoundImage } from '../storage/image-search.ts'
import type { MetadataStore } from '../storage/metadata-store.ts'
import { keptPart, type KeptPart } from './kept-part.ts'
import { isKnown } from './reachable.ts'
import { mergeLists } from './virtual/merged-pages.ts'

/** Nobody reads on to the end of so many; they are not counted any further. */
const maxCounted = 10_000

export interface SearchQuestion {
  /** What names and descriptions are to contain, in any case. */
  readonly text: string
  /** The first one is 1. */
  readonly page: number
  /** Results on one page. */
  readonly limit: number
  /** The tags of the image that the searcher may read, having come by the virtual repositories `through`. */
  readonly readable: (of: ImageRef, through: readonly RepositoryKey[]) => TagSet
}

export interface SearchResult {
  readonly name: string
  readonly description: string
}

export interface SearchPage {
  readonly results: readonly SearchResult[]
  /** On all pages; exact up to ten thousand, and never more. */
  readonly total: number
}

/** Looks through the names and descriptions of what is here; no other registry is asked. */
export interface ImageSearch {
  /** In the repository; in all of them when it is undefined, and then names begin with the key. */
  search(key: RepositoryKey | undefined, question: SearchQuestion): Promise<SearchPage>
}

type SearchedMetadata = Pick<MetadataStore, 'searchImages' | 'listTags'>

export function openImageSearch(
  metadata: SearchedMetadata,
  { repositories }: Pick<RegistryConfig, 'repositories'>,
): ImageSearch {
  return {
    async search(key, { text, page, limit, readable }) {
      const places = key === undefined ? allPlaces(repositories) : placesOf(repositories, key, [])
      const lists = places.map((place) => matchesIn(metadata, place, text, readable))
      const results: SearchResult[] = []
      let total = 0
      for await (const result of mergeLists(lists, ({ name }) => name)) {
        if (total >= (page - 1) * limit && results.length < limit) results.push(result)
        total += 1
        if (total === maxCounted) break
      }
      return { results, total }
    },
  }
}

/** Something to look through. */
interface Place {
  readonly part: KeptPart
  readonly through: readonly RepositoryKey[]
  /** What names begin with. */
  readonly prefix: string
}

/** What virtual repositories show is there once, under the key of where it is. */
function allPlaces(repositories: RegistryConfig['repositories']): readonly Place[] {
  return Object.keys(repositories)
    .filter(isRepositoryKey)
    .flatMap((key) => {
      const part = keptPart(repositories, key)
      return part ? [{ part, through: [], prefix: `${key}/` }] : []
    })
}

function placesOf(
  repositories: RegistryConfig['repositories'],
  key: RepositoryKey,
  through: readonly RepositoryKey[],
): readonly Place[] {
  const part = keptPart(repositories, key)
  // Who reads the cache of a remote repository reads that one by it, as by a virtual one.
  if (part) return [{ part, through: part.repository === key ? through : [...through, key], prefix: '' }]
  const config = repositories[key]
  if (config?.type !== 'virtual') return []
  return config.members
    .filter(isRepositoryKey)
    .filter((member) => !speaksV1(repositories[member]))
    .flatMap((member) => placesOf(repositories, member, [...through, key]))
}

/** Its images are none to those who ask a virtual repository. */
function speaksV1(config: RepositoryConfig | undefined): boolean {
  return config?.type === 'local' && config.apiVersion === 'v1'
}

async function* matchesIn(
  metadata: SearchedMetadata,
  { part, through, prefix }: Place,
  text: string,
  readable: SearchQuestion['readable'],
): AsyncGenerator<SearchResult, undefined> {
  const { repository } = part
  const allowed = part.within((image) => readable({ repository, image }, through))
  const tags = async (image: ImageName, after: string | undefined, limit: number) =>
    metadata.listTags({ repository, image }, after, limit)
  for await (const { image, description } of foundIn(metadata, repository, textWithin(text, prefix)))
    if (await isKnown({ tags }, image, allowed(image))) yield { name: prefix + image, description }
}

/** Whoever types a slash may mean the one after the key, which is no part of the image's name. */
function textWithin(text: string, prefix: string): string {
  return prefix !== '' && text.toLowerCase().startsWith(prefix) ? text.slice(prefix.length) : text
}

async function* foundIn(
  metadata: SearchedMetadata,
  repository: RepositoryKey,
  text: string,
): AsyncGenerator<FoundImage, undefined> {
  let after: ImageName | undefined
  do {
    const { items, next } = await metadata.searchImages(repository, text, after)
    yield* items
    await setImmediate() // The database answers at once: others get their turn here.
    after = next
  } while (after !== undefined)
}
