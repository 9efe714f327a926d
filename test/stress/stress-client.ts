import assert from 'node:assert/strict'
import { locationOf, type Answer, type Question, type RegistryClient } from '../helpers/registry-client.ts'
import { descriptor, digestOfBytes, ociManifest } from '../helpers/tiny-image.ts'
import { Ledger, type Pushed } from './ledger.ts'

const ociIndex = 'application/vnd.oci.image.index.v1+json'
const layerSizes = [700, 9_000, 60_000, 200_000, 1_000_000]
const clientCount = 8
export const clientNumbers = Array.from({ length: clientCount }, (_, number) => number)

/** Everybody's images are made of these: the first ones are in most of them, the last ones come and go. */
const layers = Array.from({ length: 40 }, (_, number) => number).flatMap((number) =>
  layerSizes.map((size) => Buffer.alloc(size, `${number} `)),
)
const configs = [1, 2, 3].map((version) => Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', version })))

/** Everybody pulls from it, and its owner deletes tags and manifests. */
const publicImage = (owner: number): string => `public-${owner}`
/** Its owner deletes it as a whole. */
const passingImage = (owner: number): string => `passing-${owner}`
/** Everybody has tags of their own in it. */
const sharedImage = 'shared'
const versions = ['1', '2'] as const

export type Deed =
  | 'pushes'
  | 'indexes'
  | 'referrers'
  | 'pulls'
  | 'pulls of others'
  | 'tags moved'
  | 'tags deleted'
  | 'manifests deleted'
  | 'images deleted'
  | 'blobs uploaded'
  | 'blobs mounted'
  | 'blobs relied on'
  | 'manifests relied on'
  | 'uploads cancelled'
  | 'uploads abandoned'
  | 'too slow for the time of grace'

interface Held {
  readonly ledger: Ledger
  readonly tag: string
  readonly manifest: Pushed
}

/** One of several that push, pull, tag, mount and delete at once; each is certain of what its own tags must have. */
export class StressClient {
  readonly done = new Map<Deed, number>()
  readonly #client: RegistryClient
  readonly #random: () => number
  readonly #graceMs: number
  readonly #number: number
  readonly #public: Ledger
  readonly #passing: Ledger
  readonly #ledgers: readonly Ledger[]

  /** `random` gives numbers from 0 up to 1. */
  constructor(client: RegistryClient, number: number, graceMs: number, random: () => number) {
    this.#client = client
    this.#random = random
    this.#graceMs = graceMs
    this.#number = number
    this.#public = new Ledger(publicImage(number))
    this.#passing = new Ledger(passingImage(number))
    this.#ledgers = [this.#public, this.#passing, new Ledger(sharedImage)]
  }

  async work(stop: AbortSignal): Promise<void> {
    const steps: readonly (readonly [weight: number, step: () => Promise<void>])[] = [
      [8, () => this.#pushImage()],
      [2, () => this.#pushIndex()],
      [2, () => this.#pushReferrer()],
      [6, () => this.#pullOwn()],
      [4, () => this.#pullOthers()],
      [2, () => this.#moveTag()],
      [5, () => this.#deleteTag()],
      [2, () => this.#deleteManifest()],
      [1, () => this.#deleteImage()],
      [1, () => this.#leaveUpload()],
    ]
    const drawn = steps.flatMap(([weight, step]) => Array.from({ length: weight }, () => step))
    while (!stop.aborted) await this.#pick(drawn)()
  }

  /** Everything that must be there is there, byte for byte. Resolves with how many tags that were. */
  async verify(): Promise<number> {
    const all = this.#held()
    for (const held of all) await this.#pull(held)
    return all.length
  }

  async deleteEverything(): Promise<void> {
    for (const { ledger, tag } of this.#held()) await this.#expect(202, 'DELETE', `${ledger.image}/manifests/${tag}`)
  }

  async #pushImage(): Promise<void> {
    const ledger = this.#pick(this.#ledgers)
    const tag = this.#tagIn(ledger)
    const image = imageOf(this.#pick(configs), this.#someLayers(4))
    if (await this.#pushWhole(ledger, image, tag)) ledger.setTag(tag, image)
  }

  async #pushIndex(): Promise<void> {
    const ledger = this.#pick(this.#ledgers)
    const tag = this.#tagIn(ledger)
    const began = performance.now()
    const entries = [1, 2].map(() => imageOf(this.#pick(configs), this.#someLayers(2)))
    for (const entry of entries) {
      const told = await this.#ask('HEAD', `${ledger.image}/manifests/${entry.digest}`)
      if (told.status === 200) this.#count('manifests relied on')
      else if (!(await this.#pushWhole(ledger, entry, entry.digest))) return
    }
    const index = indexOf(entries)
    if (!(await this.#putManifest(ledger, index, tag, began))) return
    ledger.setTag(tag, index)
    this.#count('indexes')
  }

  async #pushReferrer(): Promise<void> {
    const held = this.#pickHeld()
    if (!held) return
    const referrer = imageOf(this.#pick(configs), this.#someLayers(1), held.manifest)
    if (!(await this.#pushWhole(held.ledger, referrer, referrer.digest))) return
    held.ledger.addReferrer(held.manifest, referrer)
    this.#count('referrers')
  }

  async #pullOwn(): Promise<void> {
    const held = this.#pickHeld()
    if (!held) return
    await this.#pull(held)
    this.#count('pulls')
  }

  /** The tag may be moved or deleted meanwhile; the blobs of what it named are there for the time of grace. */
  async #pullOthers(): Promise<void> {
    const other = this.#pick(clientNumbers)
    const image = this.#pick([publicImage(other), sharedImage])
    const tag = image === sharedImage ? `${other}-${this.#pick(versions)}` : this.#pick(versions)
    const began = performance.now()
    const { status, body } = await this.#ask('GET', `${image}/manifests/${tag}`)
    if (status === 404) return
    assert.equal(status, 200)
    for (const digest of blobsNamedBy(body)) {
      const blob = await this.#ask('GET', `${image}/blobs/${digest}`)
      if (blob.status === 404 && this.#isTooSlow(began)) return
      assert.equal(blob.status, 200, `${image}/blobs/${digest} was named by a manifest a moment ago`)
      assert.equal(digestOfBytes(blob.body), digest)
    }
    this.#count('pulls of others')
  }

  async #moveTag(): Promise<void> {
    const held = this.#pickHeld()
    if (!held) return
    const { ledger, manifest } = held
    const tag = this.#tagIn(ledger)
    await this.#expect(201, 'PUT', `${ledger.image}/manifests/${tag}`, bodyOf(manifest))
    ledger.setTag(tag, manifest)
    this.#count('tags moved')
  }

  async #deleteTag(): Promise<void> {
    const held = this.#pickHeld()
    if (!held) return
    const target = `${held.ledger.image}/manifests/${held.tag}`
    await this.#expect(202, 'DELETE', target)
    held.ledger.deleteTag(held.tag)
    await this.#expect(404, 'GET', target)
    this.#count('tags deleted')
  }

  async #deleteManifest(): Promise<void> {
    const { tags, image } = this.#public
    const [manifest] = this.#some([...tags.values()], 1)
    if (!manifest) return
    const { status } = await this.#ask('DELETE', `${image}/manifests/${manifest.digest}`)
    if (status === 403) return // an index names it, perhaps one that nothing holds and that is not collected yet
    assert.equal(status, 202)
    this.#public.deleteManifest(manifest.digest)
    await this.#expect(404, 'GET', `${image}/manifests/${manifest.digest}`)
    this.#count('manifests deleted')
  }

  async #deleteImage(): Promise<void> {
    if (this.#passing.tags.size === 0) return
    await this.#expect(204, 'DELETE', `/artifactory/docker-local/${this.#passing.image}`)
    this.#passing.deleteImage()
    await this.#expect(404, 'GET', `${this.#passing.image}/tags/list`)
    this.#count('images deleted')
  }

  async #leaveUpload(): Promise<void> {
    const upload = await this.#client.beginUpload(this.#public.image)
    await this.#expect(202, 'PATCH', upload, { body: this.#pick(layers) })
    if (this.#random() < 0.5) return this.#count('uploads abandoned')
    await this.#expect(204, 'DELETE', upload)
    this.#count('uploads cancelled')
  }

  /** False when it took so long that what it relied on may have gone. */
  async #pushWhole(ledger: Ledger, manifest: Pushed, reference: string): Promise<boolean> {
    const began = performance.now()
    for (const blob of manifest.blobs) await this.#pushBlob(ledger.image, blob)
    return this.#putManifest(ledger, manifest, reference, began)
  }

  async #pushBlob(image: string, bytes: Buffer): Promise<void> {
    const digest = digestOfBytes(bytes)
    if ((await this.#ask('HEAD', `${image}/blobs/${digest}`)).status === 200) return this.#count('blobs relied on')
    const from = this.#pick(['', `&from=${sharedImage}`, `&from=${publicImage(this.#pick(clientNumbers))}`])
    const begun = await this.#ask('POST', `${image}/blobs/uploads/?mount=${digest}${from}`)
    if (begun.status === 201) return this.#count('blobs mounted')
    assert.equal(begun.status, 202)
    const upload = locationOf(begun)
    const half = this.#random() < 0.5 ? 0 : bytes.length >> 1
    if (half > 0) await this.#expect(202, 'PATCH', upload, { body: bytes.subarray(0, half) })
    await this.#expect(201, 'PUT', `${upload}?digest=${digest}`, { body: bytes.subarray(half) })
    this.#count('blobs uploaded')
  }

  async #putManifest(ledger: Ledger, manifest: Pushed, reference: string, began: number): Promise<boolean> {
    const put = await this.#ask('PUT', `${ledger.image}/manifests/${reference}`, bodyOf(manifest))
    if (put.status === 404 && this.#isTooSlow(began)) return false
    assert.equal(put.status, 201, `${ledger.image}: ${put.body.toString()}`)
    this.#count('pushes')
    return true
  }

  async #pull({ ledger, tag, manifest }: Held): Promise<void> {
    const { body, headers } = await this.#expect(200, 'GET', `${ledger.image}/manifests/${tag}`)
    assert.equal(headers['docker-content-digest'], manifest.digest)
    assert.deepEqual(body, manifest.bytes)
    for (const part of [manifest, ...manifest.entries, ...ledger.referrersOf(manifest)])
      await this.#pullByDigest(ledger.image, part)
    await this.#checkReferrers(ledger, manifest)
  }

  async #pullByDigest(image: string, { digest, bytes, blobs }: Pushed): Promise<void> {
    assert.deepEqual((await this.#expect(200, 'GET', `${image}/manifests/${digest}`)).body, bytes)
    for (const blob of blobs) {
      const { body } = await this.#expect(200, 'GET', `${image}/blobs/${digestOfBytes(blob)}`)
      assert.ok(body.equals(blob), `${image} has other bytes for ${digestOfBytes(blob)}`)
    }
  }

  async #checkReferrers(ledger: Ledger, subject: Pushed): Promise<void> {
    const { body } = await this.#expect(200, 'GET', `${ledger.image}/referrers/${subject.digest}`)
    for (const { digest } of ledger.referrersOf(subject)) assert.ok(body.includes(digest), `${digest} is not listed`)
  }

  /** Longer than the registry has promised to keep what it told of; that happens on a machine that is busy with other things. */
  #isTooSlow(began: number): boolean {
    if (performance.now() - began < this.#graceMs) return false
    this.#count('too slow for the time of grace')
    return true
  }

  async #expect(status: number, method: string, target: string, question?: Question): Promise<Answer> {
    const answer = await this.#ask(method, target, question)
    assert.equal(answer.status, status, `${method} ${target}: ${answer.body.toString('latin1', 0, 500)}`)
    return answer
  }

  async #ask(method: string, target: string, question?: Question): Promise<Answer> {
    const answer = await this.#client.ask(method, target, question)
    assert.ok(answer.status < 500, `${method} ${target}: ${answer.status} ${answer.body.toString()}`)
    return answer
  }

  #tagIn(ledger: Ledger): string {
    const version = this.#pick(versions)
    return ledger.image === sharedImage ? `${this.#number}-${version}` : version
  }

  #held(): readonly Held[] {
    return this.#ledgers.flatMap((ledger) => [...ledger.tags].map(([tag, manifest]) => ({ ledger, tag, manifest })))
  }

  #pickHeld(): Held | undefined {
    return this.#some(this.#held(), 1)[0]
  }

  #pick<item>(items: readonly item[]): item {
    const item = items[Math.floor(this.#random() * items.length)]
    assert.ok(item !== undefined)
    return item
  }

  /** Up to `most` of them; none only when there are none. */
  #some<item>(items: readonly item[], most: number): readonly item[] {
    if (items.length === 0) return []
    const count = 1 + Math.floor(this.#random() * most)
    return [...new Set(Array.from({ length: count }, () => this.#pick(items)))]
  }

  #someLayers(most: number): readonly Buffer[] {
    return this.#some(layers.slice(0, 1 + Math.floor(this.#random() ** 2 * layers.length)), most)
  }

  #count(deed: Deed): void {
    this.done.set(deed, (this.done.get(deed) ?? 0) + 1)
  }
}

function imageOf(config: Buffer, layersOf: readonly Buffer[], subject?: Pushed): Pushed {
  const body = {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: layersOf.map((layer) => descriptor('application/vnd.oci.image.layer.v1.tar', layer)),
    ...(subject && { subject: descriptor(subject.mediaType, subject.bytes) }),
  }
  return pushedOf(ociManifest, body, [config, ...layersOf], [])
}

function indexOf(entries: readonly Pushed[]): Pushed {
  const manifests = entries.map(({ mediaType, bytes }) => descriptor(mediaType, bytes))
  return pushedOf(ociIndex, { schemaVersion: 2, mediaType: ociIndex, manifests }, [], entries)
}

function pushedOf(mediaType: string, body: unknown, blobs: readonly Buffer[], entries: readonly Pushed[]): Pushed {
  const bytes = Buffer.from(JSON.stringify(body))
  return { digest: digestOfBytes(bytes), mediaType, bytes, blobs, entries }
}

function bodyOf({ mediaType, bytes }: Pushed): Question {
  return { headers: { 'content-type': mediaType }, body: bytes }
}

function blobsNamedBy(manifest: Buffer): readonly string[] {
  const { config, layers: named = [] } = JSON.parse(manifest.toString()) as Naming
  return [...(config ? [config] : []), ...named].map(({ digest }) => digest)
}

interface Naming {
  readonly config?: { readonly digest: string }
  readonly layers?: readonly { readonly digest: string }[]
}
