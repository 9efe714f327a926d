import { digestOfBytes, descriptor, ociManifest } from '../helpers/tiny-image.ts'
import { locationOf, type Answer, type RegistryClient } from '../helpers/registry-client.ts'
import type { Journal, KnownManifest } from './journal.ts'
import { outcomeOf, type Outcome } from './possible.ts'

/** The process at the other end has gone away. */
export class Gone extends Error {}

export const images = ['app', 'team/base', 'team/tools'] as const
export const tags = ['latest', '1.0', 'edge'] as const
const layerSizes = [300, 5_000, 70_000, 300_000, 1_500_000]
const ociIndex = 'application/vnd.oci.image.index.v1+json'

/** A client that says what it does to the journal before it does it, and what it was told after. */
export class Traffic {
  readonly #client: RegistryClient
  readonly #journal: Journal
  readonly #random: () => number
  readonly #said: () => void
  #made = 0

  /** `random` gives numbers from 0 up to 1. `said` is called after every change of the journal. */
  constructor(client: RegistryClient, journal: Journal, random: () => number, said: () => void = () => {}) {
    this.#client = client
    this.#journal = journal
    this.#random = random
    this.#said = said
  }

  get journal(): Journal {
    return this.#journal
  }

  pick<item>(items: readonly item[]): item | undefined {
    return items[Math.floor(this.#random() * items.length)]
  }

  image(): string {
    return this.pick(images) ?? images[0]
  }

  tag(): string {
    return this.pick(tags) ?? tags[0]
  }

  /** Ten different ones, so that the same comes again, also after it was deleted. */
  layer(): Buffer {
    const size = this.pick(layerSizes) ?? 1
    return Buffer.alloc(size, `layer ${size} ${this.#random() < 0.5 ? 'a' : 'b'} `)
  }

  async pushBlob(image: string, bytes: Buffer): Promise<string> {
    const upload = await this.#begin(image, bytes)
    const digest = await this.#finish(upload, image, bytes, bytes)
    return digest
  }

  /** In up to four chunks, none of them acknowledged before it is there. */
  async pushBlobInChunks(image: string, bytes: Buffer): Promise<void> {
    const upload = await this.#begin(image, bytes)
    const half = bytes.length >> 1
    await this.#append(upload, 0, half)
    await this.#append(upload, half, bytes.length)
    await this.#finish(upload, image, bytes, undefined)
  }

  async startUpload(image: string, bytes: Buffer): Promise<string> {
    const upload = await this.#begin(image, bytes)
    await this.#append(upload, 0, bytes.length >> 1)
    return upload
  }

  async goOn(upload: string): Promise<void> {
    const { image, bytes } = this.#upload(upload)
    const asked = await this.#ask('GET', upload)
    if (asked.status === 404) return this.#forget(upload)
    await this.#append(upload, receivedOf(asked), bytes.length)
    await this.#finish(upload, image, bytes, undefined)
  }

  async cancel(upload: string): Promise<void> {
    this.#journal.setUpload(upload, { ...this.#upload(upload), certain: false })
    this.#said()
    const { status } = await this.#ask('DELETE', upload)
    if (outcomeOf(status) === 'done') this.#forget(upload)
  }

  async put(image: string, manifest: KnownManifest, ...names: readonly string[]): Promise<void> {
    const digest = digestOfBytes(manifest.bytes)
    this.#journal.manifestOf.set(digest, manifest)
    const settle = [
      this.#journal.setManifest(image, digest, true),
      ...names.map((tag) => this.#journal.setTag(image, tag, digest)),
      this.#journal.setTogether({ image, tags: names, digest }),
    ]
    const target = names.length === 1 ? names[0] : `${digest}?${names.map((tag) => `tag=${tag}`).join('&')}`
    const asked = { headers: { 'content-type': manifest.mediaType }, body: manifest.bytes }
    await this.#change(settle, 'PUT', `${image}/manifests/${target}`, asked)
  }

  async deleteTag(image: string, tag: string): Promise<void> {
    await this.#change([this.#journal.setTag(image, tag, undefined)], 'DELETE', `${image}/manifests/${tag}`)
  }

  async deleteManifest(image: string, digest: string): Promise<void> {
    const tagged = this.#journal.tagsFor(image, digest).map((tag) => this.#journal.setTag(image, tag, undefined))
    const settle = [this.#journal.setManifest(image, digest, false), ...tagged]
    await this.#change(settle, 'DELETE', `${image}/manifests/${digest}`)
  }

  async deleteBlob(image: string, digest: string): Promise<void> {
    await this.#change([this.#journal.setBlob(image, digest, false)], 'DELETE', `${image}/blobs/${digest}`)
  }

  async mount(image: string, digest: string, from: string): Promise<void> {
    const target = `${image}/blobs/uploads/?mount=${digest}&from=docker-local/${from}`
    const settle = this.#journal.setBlob(image, digest, true)
    this.#said()
    const { status } = await this.#ask('POST', target)
    // 202 is an upload instead; it is left to its fate.
    settle(status === 201 ? 'done' : outcomeOf(status) === 'unknown' ? 'unknown' : 'refused')
    this.#said()
  }

  async collectGarbage(): Promise<void> {
    this.#journal.mayBeCollected()
    this.#said()
    await this.#ask('POST', '/artifactory/api/system/storage/gc')
  }

  /** An image of which the blobs have been pushed. */
  async madeImage(image: string, subject?: string): Promise<KnownManifest> {
    const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', made: (this.#made += 1) }))
    const layers = [this.layer(), this.layer()]
    for (const blob of [config, ...layers]) await this.pushBlob(image, blob)
    const of = subject === undefined ? undefined : this.#journal.manifestOf.get(subject)
    const body = {
      schemaVersion: 2,
      mediaType: ociManifest,
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: layers.map((layer) => descriptor('application/vnd.oci.image.layer.v1.tar', layer)),
      ...(of && { subject: descriptor(of.mediaType, of.bytes) }),
    }
    const blobs = [config, ...layers].map((blob) => digestOfBytes(blob))
    return { mediaType: ociManifest, bytes: Buffer.from(JSON.stringify(body)), blobs, entries: [], subject }
  }

  madeIndex(entries: readonly string[]): KnownManifest {
    const manifests = entries.map((digest) => {
      const { mediaType, bytes } = this.#known(digest)
      return descriptor(mediaType, bytes)
    })
    const annotations = { made: String((this.#made += 1)) }
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: ociIndex, manifests, annotations }))
    return { mediaType: ociIndex, bytes, blobs: [], entries, subject: undefined }
  }

  #known(digest: string): KnownManifest {
    const manifest = this.#journal.manifestOf.get(digest)
    if (!manifest) throw new Error(`no manifest ${digest} was ever made`)
    return manifest
  }

  #upload(url: string) {
    const upload = this.#journal.claims.uploads.get(url)
    if (!upload) throw new Error(`no upload ${url} was ever begun`)
    return upload
  }

  #forget(url: string): void {
    this.#journal.setUpload(url, undefined)
    this.#said()
  }

  async #begin(image: string, bytes: Buffer): Promise<string> {
    const begun = await this.#ask('POST', `${image}/blobs/uploads/`)
    if (begun.status !== 202) throw new Error(`an upload cannot begin: ${begun.status} ${begun.body.toString()}`)
    const url = locationOf(begun)
    this.#journal.setUpload(url, { image, bytes, acknowledged: 0, certain: true })
    this.#said()
    return url
  }

  async #append(url: string, first: number, end: number): Promise<void> {
    if (end <= first) return
    const upload = this.#upload(url)
    const headers = { 'content-range': `${first}-${end - 1}`, 'content-type': 'application/octet-stream' }
    const { status } = await this.#ask('PATCH', url, { headers, body: upload.bytes.subarray(first, end) })
    if (status !== 202) throw new Error(`a chunk was answered with ${status}`)
    this.#journal.setUpload(url, { ...upload, acknowledged: end })
    this.#said()
  }

  async #finish(url: string, image: string, bytes: Buffer, body: Buffer | undefined): Promise<string> {
    const digest = digestOfBytes(bytes)
    this.#journal.blobBytes.set(digest, bytes)
    this.#journal.setUpload(url, { ...this.#upload(url), certain: false })
    const settle = this.#journal.setBlob(image, digest, true)
    this.#said()
    const { status } = await this.#ask('PUT', `${url}?digest=${digest}`, body && { body })
    if (status !== 201) throw new Error(`the end of an upload was answered with ${status}`)
    settle('done')
    this.#forget(url)
    return digest
  }

  async #change(
    settle: readonly ((outcome: Outcome) => void)[],
    method: string,
    target: string,
    asked: Parameters<RegistryClient['ask']>[2] = {},
  ): Promise<void> {
    this.#said()
    const { status } = await this.#ask(method, target, asked)
    for (const settled of settle) settled(outcomeOf(status))
    this.#said()
  }

  async #ask(...question: Parameters<RegistryClient['ask']>): Promise<Answer> {
    try {
      return await this.#client.ask(...question)
    } catch (cause) {
      throw new Gone('the registry has gone away', { cause })
    }
  }
}

/** How far the upload is. `0-0` is an empty one: nobody here sends a single byte. */
export function receivedOf({ headers: { range = '' } }: Answer): number {
  const last = Number(/^0-(\d+)$/.exec(range)?.[1] ?? 0)
  return last === 0 ? 0 : last + 1
}
