/** A manifest as it was pushed, with all that must be there as long as it is held. */
export interface Pushed {
  readonly digest: string
  readonly mediaType: string
  readonly bytes: Buffer
  readonly blobs: readonly Buffer[]
  /** Of an index. */
  readonly entries: readonly Pushed[]
}

/** What one client has done to one image where nobody else does the same: its own image, or its own tags of a shared one. */
export class Ledger {
  readonly image: string
  readonly tags = new Map<string, Pushed>()
  /** By the digest of the subject, as long as that is held. */
  readonly #referrers = new Map<string, Pushed[]>()

  constructor(image: string) {
    this.image = image
  }

  setTag(tag: string, manifest: Pushed): void {
    this.tags.set(tag, manifest)
    this.#forgetUnheld()
  }

  deleteTag(tag: string): void {
    this.tags.delete(tag)
    this.#forgetUnheld()
  }

  deleteManifest(digest: string): void {
    for (const [tag, manifest] of this.tags) if (manifest.digest === digest) this.tags.delete(tag)
    this.#forgetUnheld()
  }

  deleteImage(): void {
    this.tags.clear()
    this.#forgetUnheld()
  }

  addReferrer(subject: Pushed, referrer: Pushed): void {
    this.#referrers.set(subject.digest, [...this.referrersOf(subject), referrer])
  }

  referrersOf(subject: Pushed): readonly Pushed[] {
    return this.#referrers.get(subject.digest) ?? []
  }

  /** Whether a tag holds it, by an index or by itself. */
  holds(digest: string): boolean {
    return [...this.tags.values()].some((manifest) =>
      [manifest, ...manifest.entries].some((it) => it.digest === digest),
    )
  }

  #forgetUnheld(): void {
    for (const digest of this.#referrers.keys()) if (!this.holds(digest)) this.#referrers.delete(digest)
  }
}
