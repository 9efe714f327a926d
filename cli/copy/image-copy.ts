import { algorithmOf, encodedOf, type Digest } from '../../registry/domain/digest.ts'
import { parseManifest, type Manifest } from '../../registry/domain/manifest.ts'
import type { ImageName, Reference, Tag } from '../../registry/domain/names.ts'
import { BlobCopy } from './blob-copy.ts'
import { nothingYet, type Compared, type Copied, type Copier, type Sum, type Task } from './copier.ts'
import { persistently } from './persistence.ts'
import { ReferrersTag } from './referrers-tag.ts'
import type { Source } from './source.ts'
import type { Target } from './target.ts'

export interface ImageCopyOptions {
  readonly source: Source
  readonly target: Target
  /** Blobs at a time. */
  readonly jobs: number
  /** Whether signatures and whatever else refers to an image go with it. */
  readonly referrers: 'with' | 'without'
}

interface Route {
  readonly from: ImageName
  readonly to: ImageName
}

/**
 * Copies images to a registry of the V2 API with all that belongs to them, and leaves out what is there. A tag is put last: where it has the digest already, an
 * earlier run has copied all of it.
 */
export class ImageCopy implements Copier {
  readonly #options: ImageCopyOptions
  readonly #blobs: BlobCopy
  readonly #referrersTag: ReferrersTag
  readonly #manifests = new Map<string, Promise<void>>()
  readonly #tags = new Map<ImageName, Promise<readonly Tag[]>>()

  constructor(options: ImageCopyOptions) {
    this.#options = options
    this.#blobs = new BlobCopy(options.source, options.target, options.jobs)
    this.#referrersTag = new ReferrersTag(options.target)
  }

  takes(): boolean {
    return true
  }

  async login(image: ImageName): Promise<void> {
    await persistently(() => this.#options.target.login(image))
  }

  async compare({ from, to }: Task): Promise<Compared> {
    const { source, target } = this.#options
    const digest = await persistently(() => source.digest(from.image, from.reference))
    const goal = to.tag === undefined ? digest && { digest } : { tag: to.tag }
    const head = goal && (await persistently(() => target.manifestHead(to.image, goal)))
    if (digest === undefined) return { kind: head ? 'to compare' : 'to copy' }
    return head?.digest === digest ? { kind: 'there', digest, sum: nothingYet() } : { kind: 'to copy' }
  }

  async copy({ from, to }: Task): Promise<Copied & { readonly digest: Digest }> {
    const sum = nothingYet()
    const route = { from: from.image, to: to.image }
    const { source, target } = this.#options
    const known = await persistently(() => source.digest(from.image, from.reference))
    const goal: Reference | undefined = to.tag === undefined ? known && { digest: known } : { tag: to.tag }
    const present = goal && (await persistently(() => target.manifestHead(to.image, goal)))?.digest
    const digest = known !== undefined && known === present ? known : await this.#copyTop(route, from, to, present, sum)
    await this.#copyCompanions(route, digest, sum)
    return { kind: sum.manifests + sum.blobs + sum.mounted > 0 ? 'copied' : 'there', digest, sum }
  }

  async #copyTop(
    route: Route,
    from: Task['from'],
    { tag }: Task['to'],
    present: Digest | undefined,
    sum: Sum,
  ): Promise<Digest> {
    const manifest = await persistently(() => this.#options.source.manifest(from.image, from.reference))
    if (!manifest) throw new Error('the source has no such image')
    if (manifest.digest === present) return manifest.digest
    await this.#contents(route, manifest, sum)
    if (tag === undefined || (await this.#referrersOf(route, manifest.digest)).length > 0)
      await this.#put(route, { digest: manifest.digest }, manifest)
    await this.#copyReferrers(route, manifest.digest, sum)
    if (tag !== undefined) await this.#put(route, { tag }, manifest)
    sum.manifests += 1
    return manifest.digest
  }

  /** A manifest that something else names. */
  async #copyInner(route: Route, digest: Digest, sum: Sum, known?: Manifest): Promise<void> {
    const key = `${route.to}@${digest}`
    const running = this.#manifests.get(key)
    if (running) return await running
    const copy = this.#copyManifest(route, digest, sum, known)
    this.#manifests.set(key, copy)
    await copy
  }

  async #copyManifest(route: Route, digest: Digest, sum: Sum, known: Manifest | undefined): Promise<void> {
    const { source, target } = this.#options
    const isThere = (await persistently(() => target.manifestHead(route.to, { digest }))) !== undefined
    if (!isThere) {
      const manifest = known ?? (await persistently(() => source.manifest(route.from, { digest })))
      if (!manifest) throw new Error(`the source has no manifest ${digest}`)
      await this.#contents(route, manifest, sum)
      await this.#put(route, { digest }, manifest)
      sum.manifests += 1
    }
    await this.#copyReferrers(route, digest, sum)
  }

  async #contents(route: Route, { mediaType, bytes }: Manifest, sum: Sum): Promise<void> {
    const { blobs, entries } = parseManifest(mediaType, bytes)
    await allOf([
      ...blobs.map((digest) => this.#copyBlob(route, digest, sum)),
      ...entries.map((digest) => this.#copyEntry(route, digest, sum)),
    ])
  }

  /** BuildKit's cache export names blobs in an index. */
  async #copyEntry(route: Route, digest: Digest, sum: Sum): Promise<void> {
    const manifest = await persistently(() => this.#options.source.manifest(route.from, { digest }))
    if (manifest) await this.#copyInner(route, digest, sum, manifest)
    else await this.#copyBlob(route, digest, sum)
  }

  async #copyBlob({ from, to }: Route, digest: Digest, sum: Sum): Promise<void> {
    const outcome = await this.#blobs.copy(from, to, digest)
    if (outcome.kind === 'mounted') sum.mounted += 1
    if (outcome.kind !== 'sent') return
    sum.blobs += 1
    sum.bytes += outcome.bytes
  }

  async #put({ to }: Route, reference: Reference, manifest: Manifest): Promise<void> {
    const { listsReferrer } = await persistently(() => this.#options.target.putManifest(to, reference, manifest))
    if (!listsReferrer) await this.#referrersTag.add(to, manifest)
  }

  async #copyReferrers(route: Route, subject: Digest, sum: Sum): Promise<void> {
    for (const digest of await this.#referrersOf(route, subject)) {
      const manifest = await persistently(() => this.#options.source.manifest(route.from, { digest }))
      // Lists under a tag are kept by clients: they may name what is gone, or is about something else, such as the subject itself.
      if (manifest && parseManifest(manifest.mediaType, manifest.bytes).subject === subject)
        await this.#copyInner(route, digest, sum, manifest)
    }
  }

  async #referrersOf({ from }: Route, subject: Digest): Promise<readonly Digest[]> {
    const { source, referrers } = this.#options
    return referrers === 'with' ? await persistently(() => source.referrers(from, subject)) : []
  }

  /** What was made for the image after an earlier run, and what cosign keeps beside it under tags of its own (`sha256-….sig`). */
  async #copyCompanions(route: Route, digest: Digest, sum: Sum): Promise<void> {
    if (this.#options.referrers === 'without') return
    await this.#copyReferrers(route, digest, sum)
    const prefix = `${algorithmOf(digest)}-${encodedOf(digest)}.`
    for (const tag of (await this.#tagsOf(route.from)).filter((tag) => tag.startsWith(prefix)))
      await this.#copyCompanion(route, tag, sum)
  }

  async #copyCompanion({ from, to }: Route, tag: Tag, sum: Sum): Promise<void> {
    const { sum: more } = await this.copy({ from: { image: from, reference: { tag } }, to: { image: to, tag } })
    sum.manifests += more.manifests
    sum.blobs += more.blobs
    sum.mounted += more.mounted
    sum.bytes += more.bytes
  }

  async #tagsOf(image: ImageName): Promise<readonly Tag[]> {
    const known = this.#tags.get(image)
    if (known) return await known
    const tags = persistently(async () => (await this.#options.source.tags(image)) ?? [])
    this.#tags.set(image, tags)
    return await tags
  }
}

/** All are done, or have failed, when it resolves or rejects: nothing goes on behind the back of whoever waits. */
async function allOf(work: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((one) => one.status === 'rejected')
  if (failed) throw failed.reason
}
