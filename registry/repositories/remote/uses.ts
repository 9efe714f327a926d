import type { Keyv } from 'keyv'
import type { Digest } from '../../domain/digest.ts'
import type { ImageRef } from '../../domain/names.ts'
import { usePrecisionMs, type ImageCache } from '../../storage/image-cache.ts'
import { unlessFull } from '../../storage/unless-full.ts'

/** Notes which cached manifests are used, so that those which are not can go. */
export class Uses {
  readonly #metadata: ImageCache
  readonly #noted: Keyv<true>
  readonly #now: () => Date

  constructor(metadata: ImageCache, noted: Keyv<true>, now: () => Date) {
    this.#metadata = metadata
    this.#noted = noted
    this.#now = now
  }

  async note(of: ImageRef, digest: Digest): Promise<void> {
    const name = `${of.image}@${digest}`
    if (await this.#noted.get(name)) return
    await this.#noted.set(name, true, usePrecisionMs)
    await unlessFull(() => this.#metadata.noteUse(of, digest, this.#now()))
  }
}
