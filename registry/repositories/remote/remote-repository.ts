import type { Digest } from '../../domain/digest.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { ImageName, ImageRef, Reference, RepositoryKey, Tag } from '../../domain/names.ts'
import type { Page, ReferrerQuery } from '../../storage/metadata-store.ts'
import type { BlobHandle, FoundManifest, Lookup, Reader, ReferrerPage, Removal, Repository } from '../repository.ts'
import { CacheRemoval } from './cache-removal.ts'
import { CachedBlobs, type BlobParts } from './cached-blobs.ts'
import type { CachedLists } from './cached-lists.ts'
import { CachedManifests } from './cached-manifests.ts'
import type { Cache } from './cache-view.ts'
import { ReadRemote } from './read-remote.ts'
import type { Uses } from './uses.ts'

export interface RemoteRepositoryParts extends BlobParts {
  readonly lists: CachedLists
  readonly uses: Uses
  /** The name that is kept for an image. */
  readonly kept: (image: ImageName) => ImageName
  /** Registries that this one is a cache of (`?ns=`). */
  readonly namespaces: readonly string[]
  readonly count: CountCache
}

/** Told of what became of a question. */
export type CountCache = (kind: 'manifest' | 'blob', outcome: 'hit' | 'miss' | 'stale' | 'absent' | 'failed') => void

/** Caches the images of another registry. Everything that it has can be had again, so it can be deleted, and nothing can be pushed. */
export class RemoteRepository implements Cache {
  readonly key: RepositoryKey
  readonly kind = 'remote'
  readonly pushTarget = undefined
  readonly removal: Removal
  readonly #parts: RemoteRepositoryParts
  readonly #manifests: CachedManifests
  readonly #blobs: CachedBlobs

  constructor(parts: RemoteRepositoryParts) {
    const { key, metadata, kept } = parts
    this.key = key
    this.removal = new CacheRemoval(key, metadata, kept)
    this.#parts = parts
    this.#manifests = new CachedManifests(parts)
    this.#blobs = new CachedBlobs(parts)
  }

  seenBy(reader: Reader): Repository {
    return new ReadRemote(this, reader, this.#parts.namespaces)
  }

  async manifest(image: ImageName, reference: Reference, lookup: Lookup = {}): Promise<FoundManifest | undefined> {
    const of = this.#of(image)
    if (!(await this.#isIncluded(of, reference))) return undefined
    const found = await this.#counted('manifest', () => this.#manifests.find(of.image, reference, lookup))
    if (!found) return undefined
    if (this.#parts.settings.storeArtifactsLocally) await this.#parts.uses.note(of, found.digest)
    await this.#parts.foreign.note(found)
    return found
  }

  async blob(image: ImageName, digest: Digest, lookup: Lookup = {}): Promise<BlobHandle | undefined> {
    const of = this.#of(image)
    if (!(await this.#isIncluded(of, { digest }))) return undefined
    return this.#counted('blob', () => this.#blobs.find(of.image, digest, lookup))
  }

  async tags(
    image: ImageName,
    after: string | undefined,
    limit: number,
    from?: Lookup['from'],
  ): Promise<Page<Tag> | undefined> {
    if (from === 'here') return this.cachedTags(image, after, limit)
    const of = this.#of(image)
    if (this.#parts.settings.includes.tagsOf(of.image).extent === 'none') return undefined
    return this.#parts.lists.tags(of.image, after, limit)
  }

  async cachedTags(image: ImageName, after: string | undefined, limit: number): Promise<Page<Tag> | undefined> {
    return this.#parts.metadata.listTags(this.#of(image), after, limit)
  }

  async tagTime(image: ImageName, tag: Tag): Promise<Date | undefined> {
    return this.#parts.metadata.findTagTime(this.#of(image), tag)
  }

  async images(after: string | undefined, limit: number): Promise<Page<ImageName>> {
    return this.#parts.lists.images(after, limit)
  }

  async cachedImages(after: string | undefined, limit: number): Promise<Page<ImageName>> {
    return this.#parts.metadata.listImages(this.key, after, limit)
  }

  async tagsHolding(image: ImageName, digest: Digest): Promise<readonly Tag[]> {
    return this.#parts.metadata.tagsHolding(this.#of(image), digest)
  }

  async referrers(image: ImageName, query: ReferrerQuery): Promise<ReferrerPage> {
    const of = this.#of(image)
    if (!(await this.#isIncluded(of, { digest: query.subject }))) return { items: [], next: undefined }
    return this.#parts.lists.referrers(of.image, query)
  }

  async cachedReferrers(image: ImageName, query: ReferrerQuery): Promise<ReferrerPage> {
    const of = this.#of(image)
    if (!(await this.#isIncluded(of, { digest: query.subject }))) return { items: [], next: undefined }
    return this.#parts.lists.cachedReferrers(of.image, query)
  }

  async holders(image: ImageName): Promise<readonly ImageRef[]> {
    return [this.#of(image)]
  }

  /** Of an image of which some tags are left out, only what the others lead to, as far as that is known. */
  async #isIncluded(of: ImageRef, reference: Reference): Promise<boolean> {
    const included = this.#parts.settings.includes.tagsOf(of.image)
    if (included.extent !== 'some') return included.extent === 'all'
    if ('tag' in reference) return included.has(reference.tag)
    const tags = await this.#parts.metadata.tagsHolding(of, reference.digest)
    return tags.some((tag) => included.has(tag))
  }

  async #counted<found extends FoundManifest | BlobHandle>(
    kind: 'manifest' | 'blob',
    find: () => Promise<found | undefined>,
  ): Promise<found | undefined> {
    const { count } = this.#parts
    try {
      const found = await find()
      count(kind, found ? (found.cache?.kind ?? 'hit') : 'absent')
      return found
    } catch (error) {
      if (error instanceof RegistryError) count(kind, 'failed')
      throw error
    }
  }

  #of(image: ImageName): ImageRef {
    return { repository: this.key, image: this.#parts.kept(image) }
  }
}
