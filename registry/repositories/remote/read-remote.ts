import type { Digest } from '../../domain/digest.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { ImageName, ImageRef, Reference, RepositoryKey, Tag } from '../../domain/names.ts'
import type { TagSet } from '../../domain/tag-set.ts'
import type { Page, ReferrerQuery } from '../../storage/metadata-store.ts'
import type { BlobHandle, FoundManifest, Lookup, Reader, ReferrerPage, Removal, Repository } from '../repository.ts'
import type { Cache } from './cache-view.ts'

/**
 * A remote repository as somebody may use it: what is not cached is fetched for those who may deploy, since that is what it comes to.
 * Whoever takes it for a mirror of another registry than the one it caches finds nothing.
 */
export class ReadRemote implements Repository {
  readonly key: RepositoryKey
  readonly kind = 'remote'
  readonly pushTarget = undefined
  readonly removal: Removal
  readonly #whole: Cache
  readonly #reader: Reader
  readonly #isOther: boolean

  constructor(whole: Cache, reader: Reader, namespaces: readonly string[]) {
    this.key = whole.key
    this.removal = whole.removal
    this.#whole = whole
    this.#reader = reader
    this.#isOther = reader.namespace !== undefined && !namespaces.includes(reader.namespace.toLowerCase())
  }

  seenBy(reader: Reader): Repository {
    return this.#whole.seenBy(reader)
  }

  async manifest(image: ImageName, reference: Reference, lookup: Lookup = {}): Promise<FoundManifest | undefined> {
    if (this.#isOther) return undefined
    const may = await this.#mayFetch(image)
    if ('tag' in reference ? may.has(reference.tag) : may.extent !== 'none')
      return this.#whole.manifest(image, reference, lookup)
    const kept = await this.#whole.manifest(image, reference, { ...lookup, from: 'here' })
    return kept ?? this.#refuse(lookup, image)
  }

  async blob(image: ImageName, digest: Digest, lookup: Lookup = {}): Promise<BlobHandle | undefined> {
    if (this.#isOther) return undefined
    if ((await this.#mayFetch(image)).extent !== 'none') return this.#whole.blob(image, digest, lookup)
    const kept = await this.#whole.blob(image, digest, { ...lookup, from: 'here' })
    return kept ?? this.#refuse(lookup, image)
  }

  async tags(
    image: ImageName,
    after: string | undefined,
    limit: number,
    from?: Lookup['from'],
  ): Promise<Page<Tag> | undefined> {
    if (this.#isOther) return undefined
    if (from === 'here') return this.#whole.cachedTags(image, after, limit)
    const may = await this.#mayFetch(image)
    return may.extent === 'none' ? this.#whole.cachedTags(image, after, limit) : this.#whole.tags(image, after, limit)
  }

  async tagTime(image: ImageName, tag: Tag): Promise<Date | undefined> {
    return this.#whole.tagTime(image, tag)
  }

  async images(after: string | undefined, limit: number): Promise<Page<ImageName>> {
    return this.#whole.images(after, limit)
  }

  async tagsHolding(image: ImageName, digest: Digest): Promise<readonly Tag[]> {
    return this.#whole.tagsHolding(image, digest)
  }

  async referrers(image: ImageName, query: ReferrerQuery): Promise<ReferrerPage> {
    if (this.#isOther) return { items: [], next: undefined }
    const may = await this.#mayFetch(image)
    return may.extent === 'none' ? this.#whole.cachedReferrers(image, query) : this.#whole.referrers(image, query)
  }

  async holders(image: ImageName, digest: Digest): Promise<readonly ImageRef[]> {
    return this.#whole.holders(image, digest)
  }

  async #mayFetch(image: ImageName): Promise<TagSet> {
    return this.#reader.mayFetch({ repository: this.key, image }, [])
  }

  /** Who asked only for what is here has been answered. */
  #refuse({ from }: Lookup, image: ImageName): undefined {
    if (from === 'here') return undefined
    throw new RegistryError('DENIED', {
      message: `${image} is not cached in ${this.key}, and it is fetched only for those who may deploy there`,
      detail: { repository: this.key, image },
    })
  }
}
