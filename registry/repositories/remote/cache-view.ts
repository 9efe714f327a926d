import type { Digest } from '../../domain/digest.ts'
import {
  isRepositoryKey,
  type ImageName,
  type ImageRef,
  type Reference,
  type RepositoryKey,
  type Tag,
} from '../../domain/names.ts'
import type { Page, ReferrerQuery } from '../../storage/metadata-store.ts'
import type { BlobHandle, FoundManifest, Lookup, ReferrerPage, Removal, Repository } from '../repository.ts'

/** What Artifactory calls the part of a remote repository that is here. Undefined when that would be no key. */
export function cacheKey(remote: RepositoryKey): RepositoryKey | undefined {
  const key = `${remote}-cache`
  return isRepositoryKey(key) ? key : undefined
}

/** What a remote repository can do without asking its upstream. */
export interface Cache extends Repository {
  readonly removal: Removal
  cachedTags(image: ImageName, after: string | undefined, limit: number): Promise<Page<Tag> | undefined>
  cachedImages(after: string | undefined, limit: number): Promise<Page<ImageName>>
  cachedReferrers(image: ImageName, query: ReferrerQuery): Promise<ReferrerPage>
}

/** What of a remote repository is cached, and nothing else: its upstream is never asked. */
export class CacheView implements Repository {
  readonly key: RepositoryKey
  readonly kind = 'remote'
  readonly pushTarget = undefined
  readonly removal: Removal
  readonly #cache: Cache

  constructor(key: RepositoryKey, cache: Cache) {
    this.key = key
    this.removal = cache.removal
    this.#cache = cache
  }

  seenBy(): Repository {
    return this
  }

  async manifest(image: ImageName, reference: Reference, lookup: Lookup = {}): Promise<FoundManifest | undefined> {
    return this.#cache.manifest(image, reference, { ...lookup, from: 'here' })
  }

  async blob(image: ImageName, digest: Digest, lookup: Lookup = {}): Promise<BlobHandle | undefined> {
    return this.#cache.blob(image, digest, { ...lookup, from: 'here' })
  }

  async tagTime(image: ImageName, tag: Tag): Promise<Date | undefined> {
    return this.#cache.tagTime(image, tag)
  }

  async tags(image: ImageName, after: string | undefined, limit: number): Promise<Page<Tag> | undefined> {
    return this.#cache.cachedTags(image, after, limit)
  }

  async images(after: string | undefined, limit: number): Promise<Page<ImageName>> {
    return this.#cache.cachedImages(after, limit)
  }

  async tagsHolding(image: ImageName, digest: Digest): Promise<readonly Tag[]> {
    return this.#cache.tagsHolding(image, digest)
  }

  async referrers(image: ImageName, query: ReferrerQuery): Promise<ReferrerPage> {
    return this.#cache.cachedReferrers(image, query)
  }

  async holders(image: ImageName, digest: Digest): Promise<readonly ImageRef[]> {
    return this.#cache.holders(image, digest)
  }
}
