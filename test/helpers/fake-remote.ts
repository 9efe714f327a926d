import { Readable } from 'node:stream'
import type { Digest } from '../../registry/domain/digest.ts'
import type { Manifest } from '../../registry/domain/manifest.ts'
import { isImageName, isTag, type ImageName, type Reference, type RepositoryKey } from '../../registry/domain/names.ts'
import type { BlobHandle, Lookup, Repository } from '../../registry/repositories/repository.ts'
import { sha256, streamOf } from '../contracts/blob-store.ts'
import type { TinyImage } from './tiny-image.ts'

interface Upstreams {
  readonly tags: Map<string, Digest>
  readonly manifests: Map<Digest, Manifest>
  readonly blobs: Map<Digest, Buffer>
}

/** A remote repository without an upstream: what it could fetch lies beside it, and what it has fetched in `cache`. */
export class FakeRemote implements Repository {
  readonly key: RepositoryKey
  readonly kind = 'remote'
  readonly pushTarget = undefined
  readonly removal = undefined
  /** What the upstream was asked, as `manifest app:v1`. */
  readonly fetches: string[] = []
  /** What it was asked at all. */
  readonly calls: string[] = []
  /** Thrown whenever the upstream is asked. */
  failure: unknown
  /** It answers nothing before this. */
  until: Promise<void> | undefined
  readonly tagTimes = new Map<string, Date>()
  readonly #upstream = new Map<ImageName, Upstreams>()
  readonly #cache: Repository | undefined
  readonly #here = new Set<string>()

  /** Without a `cache`, no blob is kept. */
  constructor(key: RepositoryKey, cache?: Repository) {
    this.key = key
    this.#cache = cache
  }

  seenBy(): Repository {
    return this
  }

  /** The upstream has it from now on. */
  publish(image: ImageName, tag: string, { digest: text, mediaType, manifest, blobs }: TinyImage): Digest {
    const digest = sha256(manifest)
    if (text !== digest) throw new Error('the digest is not that of the manifest')
    const of = this.#upstream.get(image) ?? { tags: new Map(), manifests: new Map(), blobs: new Map() }
    this.#upstream.set(image, of)
    of.tags.set(tag, digest)
    of.manifests.set(digest, { digest, mediaType, bytes: manifest })
    for (const blob of blobs) of.blobs.set(sha256(blob), blob)
    return digest
  }

  async manifest(image: ImageName, reference: Reference, lookup: Lookup = {}) {
    const named = 'tag' in reference ? `${image}:${reference.tag}` : `${image}@${reference.digest}`
    const isHere = this.#here.has(named)
    if (!(await this.#isAsked(`manifest ${named}`, isHere, lookup))) return undefined
    const of = this.#upstream.get(image)
    const digest = 'tag' in reference ? of?.tags.get(reference.tag) : reference.digest
    const found = digest && of?.manifests.get(digest)
    if (found) this.#here.add(named).add(`${image}@${found.digest}`)
    return found
  }

  async blob(image: ImageName, digest: Digest, lookup: Lookup = {}): Promise<BlobHandle | undefined> {
    const named = `blob ${image}@${digest}`
    const isHere = this.#here.has(named)
    if (!(await this.#isAsked(named, isHere, lookup))) return undefined
    const bytes = this.#upstream.get(image)?.blobs.get(digest)
    if (!bytes) return undefined
    const { length: size } = bytes
    const cache = this.#cache
    const whole = { size, path: () => undefined, open: async () => streamOf(bytes) }
    if (isHere || !cache) return whole
    const fetched = () => this.#keep(cache, image, digest, bytes, named)
    return {
      ...whole,
      growth: { path: undefined, blobPath: undefined, available: () => Readable.from([]), kept: fetched },
    }
  }

  async tagTime(image: ImageName, tag: string) {
    return this.tagTimes.get(`${image}:${tag}`)
  }

  async tags(image: ImageName, after = '', limit: number) {
    await this.#isAsked(`tags ${image}`, false)
    const of = this.#upstream.get(image)
    return of && pageOf([...of.tags.keys()].filter(isTag), after, limit)
  }

  async images(after = '', limit: number) {
    await this.#isAsked('images', false)
    return pageOf([...this.#upstream.keys()].filter(isImageName), after, limit)
  }

  async tagsHolding(image: ImageName, digest: Digest) {
    this.calls.push(`tagsHolding ${image}`)
    const of = this.#upstream.get(image)
    const holds = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).includes(digest)
    const holding = [...(of?.tags ?? [])].filter(([, on]) => on === digest || holds(of?.manifests.get(on)?.bytes))
    return holding.map(([tag]) => tag).filter(isTag)
  }

  async referrers() {
    await this.#isAsked('referrers', false)
    return { items: [], next: undefined }
  }

  async holders(image: ImageName) {
    return [{ repository: this.key, image }]
  }

  async #isAsked(what: string, isHere: boolean, { from = 'anywhere' }: Lookup = {}): Promise<boolean> {
    this.calls.push(what)
    await this.until
    if (isHere || from === 'here') return isHere
    this.fetches.push(what)
    if (this.failure !== undefined) throw this.failure
    return true
  }

  async #keep(cache: Repository, image: ImageName, digest: Digest, bytes: Buffer, named: string): Promise<void> {
    const target = cache.pushTarget
    if (!target) throw new Error('the cache takes nothing')
    const id = await target.begin(image, 'sha256', undefined)
    await target.append(image, id, 0, streamOf(bytes))
    await target.finish(image, id, digest)
    this.#here.add(named)
  }
}

function pageOf<name extends string>(all: readonly name[], after: string, limit: number) {
  const rest = all.filter((name) => name > after).sort()
  const items = rest.slice(0, limit)
  return { items, next: rest.length > limit ? items.at(-1) : undefined }
}
