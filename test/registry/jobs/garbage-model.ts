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

export const v2Names = ['one', 'two', 'index', 'nested', 'signature', 'seal'] as const
/** Images of the V1 API: manifests whose layer is the blob that was sent for them, and whose parent is an entry. */
export const v1Names = ['base', 'child'] as const
export const manifestNames = [...v2Names, ...v1Names] as const
export type V2Name = (typeof v2Names)[number]
export type V1Name = (typeof v1Names)[number]
export type ManifestName = V2Name | V1Name

/** All manifests that there are, and what each names. */
export const shapes: Readonly<Record<ManifestName, Shape>> = {
  one: { blobs: ['p', 'q'], entries: [], subject: undefined },
  two: { blobs: ['q', 'r'], entries: [], subject: undefined },
  index: { blobs: [], entries: ['one', 'two'], subject: undefined },
  nested: { blobs: [], entries: ['index'], subject: undefined },
  signature: { blobs: ['s'], entries: [], subject: 'one' },
  seal: { blobs: ['s'], entries: [], subject: 'signature' },
  base: { blobs: [], entries: [], subject: undefined },
  child: { blobs: [], entries: ['base'], subject: undefined },
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

/** What somebody has said to push by the V1 API, and how far it has come. */
interface Pushed {
  open: boolean
  hasJson: boolean
  layer: BlobName | undefined
}

class Image {
  /** Known by the name of the image: they outlive it. */
  readonly pushes: Map<V1Name, Pushed>
  /** Of the V1 images that it has. */
  readonly layers = new Map<ManifestName, BlobName>()
  readonly manifests = new Map<ManifestName, Timed>()
  /** Those of another registry, of which the image need not have everything. */
  readonly cached = new Set<ManifestName>()
  readonly tags = new Map<TagName, ManifestName>()
  readonly links = new Map<BlobName, Timed>()

  constructor(pushes = new Map<V1Name, Pushed>()) {
    this.pushes = pushes
  }

  holdsManifest(name: ManifestName): boolean {
    const { subject } = shapes[name]
    return (
      [...this.pushes].some(([pushed, { open }]) => open && pushed === name) ||
      [...this.tags.values()].includes(name) ||
      [...this.manifests.keys()].some((other) => shapes[other].entries.includes(name)) ||
      (subject !== undefined && this.manifests.has(subject))
    )
  }

  holdsLink(blob: BlobName): boolean {
    return this.names(blob) || [...this.pushes.values()].some(({ open, layer }) => open && layer === blob)
  }

  names(blob: BlobName): boolean {
    return (
      [...this.layers.values()].includes(blob) ||
      [...this.manifests.keys()].some((manifest) => shapes[manifest].blobs.includes(blob))
    )
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

  put(name: ImageName, manifest: V2Name, tags: readonly TagName[]): Outcome {
    const image = this.image(name)
    const { blobs, entries } = shapes[manifest]
    const whole = image.manifests.has(manifest) && !image.cached.has(manifest)
    if (whole) return this.#keep(image, manifest, tags)
    if (!blobs.every((blob) => image.links.has(blob)) || !entries.every((entry) => image.manifests.has(entry)))
      return 'refused'
    image.cached.delete(manifest)
    return this.#keep(image, manifest, tags)
  }

  cache(name: ImageName, manifest: V2Name, tag: TagName | undefined): Outcome {
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
    this.images.set(name, new Image(this.image(name).pushes))
  }

  announce(name: ImageName, v1s: readonly V1Name[]): void {
    const { pushes } = this.image(name)
    for (const v1 of v1s) pushes.set(v1, { hasJson: false, layer: undefined, ...pushes.get(v1), open: true })
  }

  sendJson(name: ImageName, v1: V1Name): Outcome {
    const image = this.image(name)
    const pushed = image.pushes.get(v1)
    if (!pushed || image.manifests.has(v1) || !this.#hasParent(image, v1)) return 'refused'
    pushed.hasJson = true
    return 'done'
  }

  /** Any layer will do, and the last one counts. */
  sendLayer(name: ImageName, v1: V1Name, blob: BlobName): Outcome {
    const pushed = this.image(name).pushes.get(v1)
    if (!pushed?.hasJson) return 'refused'
    this.store(blob)
    this.link(name, blob)
    this.#change(() => (pushed.layer = blob))
    return 'done'
  }

  complete(name: ImageName, v1: V1Name): Outcome {
    const image = this.image(name)
    const layer = image.pushes.get(v1)?.layer
    if (layer === undefined || !image.links.has(layer)) return 'refused'
    const isOther = image.manifests.has(v1) && image.layers.get(v1) !== layer
    if (isOther || !this.#hasParent(image, v1)) return 'refused'
    image.layers.set(v1, layer)
    return this.#keep(image, v1, [])
  }

  tagV1(name: ImageName, v1: V1Name, tag: TagName): Outcome {
    const image = this.image(name)
    if (!image.manifests.has(v1)) return 'refused'
    this.#change(() => image.tags.set(tag, v1))
    return 'done'
  }

  endPush(name: ImageName): void {
    this.#change(() => {
      for (const pushed of this.image(name).pushes.values()) pushed.open = false
    })
  }

  forgetPushes(): void {
    this.#change(() => {
      for (const { pushes } of this.images.values()) pushes.clear()
    })
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
      for (const blob of this.#due(image.links, graceMs, (it) => image.holdsLink(it)))
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
    image.layers.delete(manifest)
    image.cached.delete(manifest)
    for (const [tag, tagged] of image.tags) if (tagged === manifest) image.tags.delete(tag)
  }

  #hasParent(image: Image, v1: V1Name): boolean {
    return shapes[v1].entries.every((entry) => image.manifests.has(entry))
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
      ...[...image.links].filter(([name]) => image.holdsLink(name)),
    ])
    return [...ofImages, ...[...this.blobs].filter(([name]) => this.#isLinked(name))].map(([, timed]) => timed)
  }
}

function tell(thing: Timed | undefined, now: number): Outcome {
  if (!thing) return 'absent'
  thing.since = now
  return 'done'
}
