/** The same promises as the product's, kept in the plainest way: nothing is queued, everything is looked at whenever asked. */

export const imageNames = ['a', 'b'] as const
export const blobNames = ['p', 'q', 'r', 's'] as const
export const tagNames = ['v1', 'v2'] as const
export type ImageName = (typeof imageNames)[number]
export type BlobName = (typeof blobNames)[number]
export type TagName = (typeof tagNames)[number]

interface Shape {
  readonly blobs: readonly BlobName[]
  readonly entries: readonly ManifestName[]
  readonly subject: ManifestName | undefined
}

export const manifestNames = ['one', 'two', 'index', 'nested', 'signature', 'seal'] as const
export type ManifestName = (typeof manifestNames)[number]

/** All manifests that there are, and what each names. */
export const shapes: Readonly<Record<ManifestName, Shape>> = {
  one: { blobs: ['p', 'q'], entries: [], subject: undefined },
  two: { blobs: ['q', 'r'], entries: [], subject: undefined },
  index: { blobs: [], entries: ['one', 'two'], subject: undefined },
  nested: { blobs: [], entries: ['index'], subject: undefined },
  signature: { blobs: ['s'], entries: [], subject: 'one' },
  seal: { blobs: ['s'], entries: [], subject: 'signature' },
}

export const minute = 60_000
export const day = 1440 * minute
export const graceMs = day
const readersMs = minute
export const keepUntaggedMs: Readonly<Record<ImageName, number>> = { a: 7 * day, b: 0 }

/** When it was last told to be there, or lost the last that held it. */
interface Timed {
  since: number
}

class Image {
  readonly manifests = new Map<ManifestName, Timed>()
  /** Those of another registry, of which the image need not have everything. */
  readonly cached = new Set<ManifestName>()
  readonly tags = new Map<TagName, ManifestName>()
  readonly links = new Map<BlobName, Timed>()

  holdsManifest(name: ManifestName): boolean {
    const { subject } = shapes[name]
    return (
      [...this.tags.values()].includes(name) ||
      [...this.manifests.keys()].some((other) => shapes[other].entries.includes(name)) ||
      (subject !== undefined && this.manifests.has(subject))
    )
  }

  names(blob: BlobName): boolean {
    return [...this.manifests.keys()].some((manifest) => shapes[manifest].blobs.includes(blob))
  }
}

export type Outcome = 'done' | 'refused' | 'absent'

export class Model {
  now = Date.parse('2026-01-01T00:00:00Z')
  readonly images = new Map<ImageName, Image>(imageNames.map((name) => [name, new Image()]))
  /** Those whose bytes are there. */
  readonly blobs = new Map<BlobName, Timed>()
  /** Blobs that an upload is about to become. */
  readonly expected: BlobName[] = []
  /** What deleted images had, until the next collection. */
  #deleted: BlobName[] = []

  image(name: ImageName): Image {
    const image = this.images.get(name)
    if (!image) throw new Error(`no image ${name}`)
    return image
  }

  /** The bytes lie where the blob belongs, as good as new; no image need have it. */
  store(blob: BlobName): void {
    this.blobs.set(blob, { since: this.now })
  }

  link(name: ImageName, blob: BlobName): void {
    this.#change(() => this.image(name).links.set(blob, { since: this.now }))
  }

  relyOnBlob(name: ImageName, blob: BlobName): Outcome {
    return tell(this.image(name).links.get(blob), this.now)
  }

  relyOnManifest(name: ImageName, manifest: ManifestName): Outcome {
    return tell(this.image(name).manifests.get(manifest), this.now)
  }

  mount(name: ImageName, blob: BlobName, from: ImageName): Outcome {
    if (!this.image(from).links.has(blob)) return 'absent'
    this.link(name, blob)
    return 'done'
  }

  put(name: ImageName, manifest: ManifestName, tags: readonly TagName[]): Outcome {
    const image = this.image(name)
    const { blobs, entries } = shapes[manifest]
    const whole = image.manifests.has(manifest) && !image.cached.has(manifest)
    if (whole) return this.#keep(image, manifest, tags)
    if (!blobs.every((blob) => image.links.has(blob)) || !entries.every((entry) => image.manifests.has(entry)))
      return 'refused'
    image.cached.delete(manifest)
    return this.#keep(image, manifest, tags)
  }

  cache(name: ImageName, manifest: ManifestName, tag: TagName | undefined): Outcome {
    const image = this.image(name)
    image.cached.add(manifest)
    return this.#keep(image, manifest, tag === undefined ? [] : [tag])
  }

  uncache(name: ImageName, manifest: ManifestName): Outcome {
    const image = this.image(name)
    if (!image.manifests.has(manifest)) return 'absent'
    this.#change(() => this.#remove(image, manifest))
    return 'done'
  }

  deleteTag(name: ImageName, tag: TagName): Outcome {
    return this.#change(() => this.image(name).tags.delete(tag)) ? 'done' : 'absent'
  }

  deleteManifest(name: ImageName, manifest: ManifestName): Outcome {
    const image = this.image(name)
    if (!image.manifests.has(manifest)) return 'absent'
    if ([...image.manifests.keys()].some((other) => shapes[other].entries.includes(manifest))) return 'refused'
    this.#change(() => this.#remove(image, manifest))
    return 'done'
  }

  deleteBlob(name: ImageName, blob: BlobName): Outcome {
    const image = this.image(name)
    if (!image.links.has(blob)) return 'absent'
    if (image.names(blob)) return 'refused'
    this.#change(() => image.links.delete(blob))
    return 'done'
  }

  deleteImage(name: ImageName): void {
    this.#deleted.push(...this.image(name).links.keys())
    this.images.set(name, new Image())
  }

  /** The blobs whose bytes go. */
  collect(): readonly BlobName[] {
    for (const [name, image] of this.images)
      for (const manifest of this.#due(image.manifests, Math.max(keepUntaggedMs[name], graceMs), (it) =>
        image.holdsManifest(it),
      ))
        this.#change(() => this.#remove(image, manifest))
    this.#change(() => (this.#deleted = []))
    for (const image of this.images.values())
      for (const blob of this.#due(image.links, graceMs, (it) => image.names(it)))
        this.#change(() => image.links.delete(blob))
    const due = this.#due(this.blobs, readersMs, (blob) => this.#isLinked(blob))
    for (const blob of due.filter((it) => this.expected.includes(it))) this.blobs.set(blob, { since: this.now })
    const gone = due.filter((it) => !this.expected.includes(it))
    for (const blob of gone) this.blobs.delete(blob)
    return gone
  }

  #due<name>(things: ReadonlyMap<name, Timed>, keepMs: number, held: (thing: name) => boolean): readonly name[] {
    return [...things]
      .filter(([thing, { since }]) => !held(thing) && since <= this.now - keepMs)
      .map(([thing]) => thing)
  }

  #keep(image: Image, manifest: ManifestName, tags: readonly TagName[]): Outcome {
    this.#change(() => {
      image.manifests.set(manifest, { since: this.now })
      for (const tag of tags) image.tags.set(tag, manifest)
    })
    return 'done'
  }

  #remove(image: Image, manifest: ManifestName): void {
    image.manifests.delete(manifest)
    image.cached.delete(manifest)
    for (const [tag, tagged] of image.tags) if (tagged === manifest) image.tags.delete(tag)
  }

  #isLinked(blob: BlobName): boolean {
    return this.#deleted.includes(blob) || [...this.images.values()].some(({ links }) => links.has(blob))
  }

  /** Whatever is held before and not after begins its time. */
  #change<result>(change: () => result): result {
    const before = this.#held()
    const result = change()
    const after = new Set(this.#held())
    for (const thing of before) if (!after.has(thing)) thing.since = this.now
    return result
  }

  #held(): readonly Timed[] {
    const ofImages = [...this.images.values()].flatMap((image) => [
      ...[...image.manifests].filter(([name]) => image.holdsManifest(name)),
      ...[...image.links].filter(([name]) => image.names(name)),
    ])
    return [...ofImages, ...[...this.blobs].filter(([name]) => this.#isLinked(name))].map(([, timed]) => timed)
  }
}

function tell(thing: Timed | undefined, now: number): Outcome {
  if (!thing) return 'absent'
  thing.since = now
  return 'done'
}
