import { digestOfBytes } from '../helpers/tiny-image.ts'
import type { Answer, Question, RegistryClient } from '../helpers/registry-client.ts'
import type { Journal, KnownManifest } from './journal.ts'
import { hubV2, type Origin } from './origin.ts'
import { Gone } from './traffic.ts'

/** What the journal calls an image of the remote repository: its whole path. */
export function cachedName(image: string): string {
  return `${hubV2}/${image}`
}

/** What the upstream calls it. */
export function originalName(cached: string): string {
  return cached.slice(hubV2.length + 1)
}

export function isCached(name: string): boolean {
  return name.startsWith(`${hubV2}/`)
}

/**
 * Clients of the remote repository. What they get whole is right, or they throw. A manifest is in the database then, which the journal is
 * told; a blob may still be on its way to the disk.
 */
export class Pulls {
  readonly origin: Origin
  readonly #client: RegistryClient
  readonly #journal: Journal
  readonly #said: () => void

  /** `said` is called after every change of the journal. */
  constructor(client: RegistryClient, journal: Journal, origin: Origin, said: () => void = () => {}) {
    this.#client = client
    this.#journal = journal
    this.origin = origin
    this.#said = said
  }

  know(manifest: KnownManifest): string {
    const digest = digestOfBytes(manifest.bytes)
    this.#journal.manifestOf.set(digest, manifest)
    return digest
  }

  /** A manifest, what it names, and all blobs at once. */
  async image(image: string, reference: string): Promise<void> {
    const digest = await this.manifest(image, reference)
    const { entries = [], blobs = [] } = this.#journal.manifestOf.get(digest) ?? {}
    for (const entry of entries) await this.image(image, entry)
    await together(blobs.map((blob) => this.blob(image, blob)))
  }

  /** Its digest. */
  async manifest(image: string, reference: string): Promise<string> {
    const name = cachedName(image)
    const digest = this.origin.digestOf(image, reference)
    const settle = [
      this.#journal.setManifest(name, digest, true),
      ...(reference === digest ? [] : [this.#journal.setTag(name, reference, digest)]),
    ]
    this.#said()
    const { status, body } = await this.#ask(`${name}/manifests/${reference}`)
    if (status !== 200 || digestOfBytes(body) !== digest)
      throw new Error(`manifest ${reference} of ${image} came wrong (${status}): ${body.toString()}`)
    for (const settled of settle) settled('done')
    this.#said()
    return digest
  }

  async blob(image: string, digest: string): Promise<void> {
    const name = cachedName(image)
    this.#journal.setBlob(name, digest, true)
    this.#said()
    const { status, body } = await this.#ask(`${name}/blobs/${digest}`)
    if (status !== 200 || digestOfBytes(body) !== digest)
      throw new Error(`blob ${digest} of ${image} came wrong (${status}, ${body.length} bytes)`)
  }

  /** All but the beginning, which says nothing of the whole. */
  async rest(image: string, digest: string, bytes: Buffer, from: number): Promise<void> {
    const name = cachedName(image)
    this.#journal.setBlob(name, digest, true)
    this.#said()
    const { status, body } = await this.#ask(`${name}/blobs/${digest}`, { headers: { range: `bytes=${from}-` } })
    if (status !== 206 || !body.equals(bytes.subarray(from)))
      throw new Error(`the rest of blob ${digest} of ${image} came wrong (${status}, ${body.length} bytes)`)
  }

  async #ask(target: string, question: Question = {}): Promise<Answer> {
    try {
      return await this.#client.ask('GET', target, question)
    } catch (cause) {
      throw new Gone('the registry has gone away', { cause })
    }
  }
}

/** Rejects when all have ended, if one has failed: nothing goes on then. */
export async function together(all: readonly Promise<unknown>[]): Promise<void> {
  for (const ended of await Promise.allSettled(all)) if (ended.status === 'rejected') throw ended.reason
}
