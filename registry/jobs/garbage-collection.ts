import type { Logger } from 'pino'
import { quotaBytesOf, type RegistryConfig } from '../config.ts'
import { milliseconds } from '../domain/duration.ts'
import { isRepositoryKey, type RepositoryKey } from '../domain/names.ts'
import type { Metrics } from '../metrics.ts'
import { Collector, type Collected, type CollectionRules } from './collector.ts'
import type { Job } from './schedule.ts'
import { expireUploads } from './upload-expiry.ts'
import type { Storage } from './upload-recovery.ts'

/** An hour late is early enough for uploads, unless they are to go sooner. */
const maxExpiryPauseMs = 3_600_000

export function collectionRules({ garbageCollection, repositories }: RegistryConfig): CollectionRules {
  const keepUntaggedMs = new Map<RepositoryKey, number>()
  for (const [key, repository] of Object.entries(repositories))
    if (isRepositoryKey(key) && repository.type === 'local') keepUntaggedMs.set(key, keptFor(repository.keepUntagged))
  return { graceMs: milliseconds(garbageCollection.grace), keepUntaggedMs }
}

function keptFor(keepUntagged: string): number {
  return keepUntagged === 'forever' ? Infinity : milliseconds(keepUntagged)
}

export interface CollectionSummary {
  readonly manifests: number
  /** Blobs taken from images where no manifest names them. */
  readonly links: number
  /** Blobs deleted from the store, and their bytes. */
  readonly blobs: number
  readonly bytes: number
  readonly seconds: number
}

/** What the registry does about garbage while it runs. */
export class GarbageCollection {
  readonly jobs: readonly Job[]
  readonly #collector: Collector
  readonly #metrics: Metrics
  readonly #log: Logger
  #last: Promise<unknown> = Promise.resolve()

  constructor(storage: Storage, config: RegistryConfig, metrics: Metrics, log: Logger) {
    this.#collector = new Collector(storage, collectionRules(config))
    this.#metrics = metrics
    this.#log = log
    const abandonedMs = milliseconds(config.garbageCollection.abandonedUploads)
    this.jobs = [
      {
        name: 'garbage collection',
        everyMs: milliseconds(config.garbageCollection.every),
        run: async (signal) => void (await this.collect(signal)),
      },
      {
        name: 'upload expiry',
        everyMs: Math.min(abandonedMs, maxExpiryPauseMs),
        run: () => this.#expireUploads(storage, config, abandonedMs),
      },
    ]
  }

  /** One round, after the one that runs. */
  collect(signal: AbortSignal = new AbortController().signal): Promise<CollectionSummary> {
    const round = this.#last.then(() => this.#collect(signal))
    this.#last = round.catch(() => {}) // whoever waits for it has been told
    return round
  }

  async #collect(signal: AbortSignal): Promise<CollectionSummary> {
    const started = performance.now()
    const collected = await this.#collector.collect(signal)
    const summary = summaryOf(collected, (performance.now() - started) / 1000)
    this.#count(summary, collected.failures.length)
    this.#tell(summary, collected)
    return summary
  }

  async #expireUploads(storage: Storage, config: RegistryConfig, abandonedMs: number): Promise<void> {
    const since = new Date(Date.now() - abandonedMs)
    const uploads = await expireUploads(storage, since, (key) => quotaBytesOf(config.repositories[key]))
    this.#metrics.expiredUploads.inc(uploads)
    if (uploads > 0) this.#log.info({ uploads }, 'abandoned uploads were removed')
  }

  #count({ manifests, links, blobs, bytes, seconds }: CollectionSummary, failures: number): void {
    this.#metrics.collected.inc({ kind: 'manifest' }, manifests)
    this.#metrics.collected.inc({ kind: 'link' }, links)
    this.#metrics.collected.inc({ kind: 'blob' }, blobs)
    this.#metrics.collectedBytes.inc(bytes)
    this.#metrics.collectionSeconds.inc(seconds)
    this.#metrics.collectionFailures.inc(failures)
  }

  #tell(summary: CollectionSummary, { manifests, links, blobs, failures }: Collected): void {
    const log = this.#log
    for (const { of, digest, since } of manifests) log.info({ ...of, digest, since }, 'manifest collected')
    for (const { digest, error } of failures) log.error({ err: error, digest }, 'a blob could not be deleted')
    if (manifests.length + links.length + blobs.length > 0) log.info(summary, 'garbage collected')
  }
}

function summaryOf({ manifests, links, blobs }: Collected, seconds: number): CollectionSummary {
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0)
  return { manifests: manifests.length, links: links.length, blobs: blobs.length, bytes, seconds }
}
