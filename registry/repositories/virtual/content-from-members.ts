import { algorithmOf, type Digest } from '../../domain/digest.ts'
import { parseManifest, type Manifest } from '../../domain/manifest.ts'
import type { ImageName } from '../../domain/names.ts'
import { emptyLayerDigest } from '../../domain/schema1/empty-layer.ts'
import type { BlobHandle, PushRights, PushTarget, Repository } from '../repository.ts'
import { bringBlob } from '../whole-blob.ts'

/** Where content may come from, as the pusher sees it. */
export type Source = Pick<Repository, 'manifest' | 'blob' | 'holders'>

interface Parts {
  readonly target: PushTarget
  readonly deployTo: Repository
  readonly source: Source
}

const blobsAtOnce = 2

/** For one push to one image: what its manifest names, from the members, as far as the image does not have it. */
export class ContentFromMembers {
  readonly #parts: Parts
  readonly #image: ImageName
  readonly #pushers: PushRights
  readonly #taken = new Set<Digest>()
  #isRefused = false

  constructor(parts: Parts, image: ImageName, rights: PushRights) {
    this.#parts = parts
    this.#image = image
    this.#pushers = rights
  }

  /** Those of the pusher, who may also name what has been taken: that may be read elsewhere. */
  get rights(): PushRights {
    const { mayName, ...others } = this.#pushers
    return mayName ? { ...others, mayName: async (digest) => this.#taken.has(digest) || mayName(digest) } : others
  }

  /**
   * What no member has is left for the target to miss, and nothing is looked for after it: one manifest may name very much. Throws
   * MANIFEST_INVALID, what a member that has it fails with, and what the target refuses to take.
   */
  async takeWhatIsNamed({ mediaType, bytes }: Manifest): Promise<void> {
    const { blobs, entries } = parseManifest(mediaType, bytes)
    // The target has the empty layer whenever it is named.
    const named = blobs.filter((digest) => digest !== emptyLayerDigest)
    await atOnce(blobsAtOnce, named, async (digest) => {
      if (this.#isRefused || (await this.#has(digest, 'blob'))) return
      await this.#takeBlob(digest)
    })
    for (const digest of entries) {
      if (this.#isRefused) return
      if ((await this.#has(digest, 'manifest')) || (await this.#has(digest, 'blob'))) continue
      if (!(await this.#takeManifest(digest))) await this.#takeBlob(digest)
    }
  }

  /** From then on garbage collection leaves it alone. What may not be named is as if it were not there. */
  async #has(digest: Digest, what: 'blob' | 'manifest'): Promise<boolean> {
    const { deployTo } = this.#parts
    if (this.#taken.has(digest)) return true
    const { mayName } = this.#pushers
    if (mayName && !(await mayName(digest))) return false
    const found =
      what === 'blob'
        ? await deployTo.blob(this.#image, digest, { use: 'rely' })
        : await deployTo.manifest(this.#image, { digest }, { use: 'rely' })
    return found !== undefined
  }

  /** False when no member has such a manifest. */
  async #takeManifest(digest: Digest): Promise<boolean> {
    const { source, target } = this.#parts
    const found = await source.manifest(this.#image, { digest })
    if (!found) return false
    await this.takeWhatIsNamed(found)
    if (this.#isRefused) return true
    await target.putManifest(this.#image, found, [], this.rights)
    this.#taken.add(digest)
    return true
  }

  async #takeBlob(digest: Digest): Promise<void> {
    const blob = await this.#parts.source.blob(this.#image, digest)
    if (!blob) {
      this.#isRefused = true
      return
    }
    await blob.growth?.kept()
    if (!(await this.#mount(digest))) await this.#copy(digest, blob)
    this.#taken.add(digest)
  }

  async #mount(digest: Digest): Promise<boolean> {
    const { source, target } = this.#parts
    for (const holder of await source.holders(this.#image, digest))
      if (await target.mount(this.#image, digest, holder)) return true
    return false
  }

  /** Of a member that keeps nothing. */
  async #copy(digest: Digest, blob: BlobHandle): Promise<void> {
    const { target } = this.#parts
    await target.admit(blob.size)
    await bringBlob(target, {
      image: this.#image,
      principal: undefined,
      algorithm: algorithmOf(digest),
      append: async (upload) => target.append(this.#image, upload, 0, await blob.open(undefined)),
      digest: async () => digest,
    })
  }
}

/** Ends with the first failure; no more are begun then. */
async function atOnce<item>(limit: number, items: readonly item[], work: (item: item) => Promise<void>): Promise<void> {
  const rest = items.values()
  const failed: unknown[] = []
  const worker = async (): Promise<void> => {
    for (const item of rest) {
      try {
        await work(item)
      } catch (error) {
        failed.push(error)
      }
      if (failed.length > 0) return
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
  if (failed.length > 0) throw failed[0]
}
