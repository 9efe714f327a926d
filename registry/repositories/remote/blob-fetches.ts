import type { Logger } from 'pino'
import type { Digest } from '../../domain/digest.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { ImageRef } from '../../storage/metadata-store.ts'
import type { BlobHandle } from '../repository.ts'
import { BlobFetch, type BlobSource, type FetchParts } from './blob-fetch.ts'
import { FetchedUpload, type FetchStorage } from './fetched-upload.ts'

/** An upstream that is restarted is back by then. */
const defaultPausesMs = [100, 500, 2000, 5000, 10_000]

/**
 * Blobs that are coming in from other registries: of each, for each image, at most one transfer. It goes on when all who asked have left,
 * and after a restart when somebody asks again.
 */
export class BlobFetches {
  readonly #parts: FetchParts
  readonly #flights = new Map<string, BlobFetch>()
  readonly #running = new Set<Promise<void>>()
  #closed = false

  constructor(
    storage: FetchStorage,
    log: Logger,
    now: () => Date = () => new Date(),
    pausesMs: readonly number[] = defaultPausesMs,
  ) {
    this.#parts = { storage, log, now, pausesMs }
  }

  /**
   * The blob, which the image has when all of it is here; undefined when the upstream has none. Whoever asks while it is coming in has part
   * in that, and `source` is then not asked. Rejects with UpstreamFailure, and with STORAGE_FULL when it cannot be kept.
   */
  async fetch(of: ImageRef, digest: Digest, source: BlobSource): Promise<BlobHandle | undefined> {
    if (this.#closed) throw new RegistryError('UNAVAILABLE', { message: 'the registry is being stopped' })
    const key = `${of.repository}/${of.image}@${digest}`
    return (this.#flights.get(key) ?? this.#start(key, of, digest, source)).handle
  }

  /** Resolves when all that is coming in now has become blobs, or has failed. */
  async settled(): Promise<void> {
    await Promise.all(this.#running)
  }

  /** What has come in of a blob goes, unless it is just coming in: the image gets it otherwise. */
  async forget(of: ImageRef, digest: Digest): Promise<void> {
    const upload = await FetchedUpload.find(this.#parts.storage, { of, digest })
    await upload?.discard()
  }

  /** Stops what is coming in, and keeps what has come for the next start. */
  async close(): Promise<void> {
    this.#closed = true
    for (const fetch of this.#flights.values()) fetch.stop()
    await this.settled()
  }

  #start(key: string, of: ImageRef, digest: Digest, source: BlobSource): BlobFetch {
    const fetch = new BlobFetch(this.#parts, { of, digest }, source)
    this.#flights.set(key, fetch)
    const running = fetch.run(() => this.#flights.delete(key)).finally(() => this.#running.delete(running))
    this.#running.add(running)
    return fetch
  }
}
