import type { Logger } from 'pino'
import { quotaBytesOf, type LocalConfig, type RegistryConfig } from '../config.ts'
import { milliseconds } from '../domain/duration.ts'
import { isRepositoryKey, type RepositoryKey } from '../domain/names.ts'
import type { Metrics } from '../metrics.ts'
import { Collector, type Collected, type CollectionRules } from './collector.ts'
import type { Job } from './schedule.ts'
import { expireUploads } from './upload-expiry.ts'
import type { Storage } from './upload-recovery.ts'

/** An hour late is early enough for uploads, unless they are to go sooner. */
const maxExpiryPauseMs = 3_600_000
const pushesAtOnce = 200

export function collectionRules({ garbageCollection, repositories }: RegistryConfig): CollectionRules {
  const keepUntaggedMs = new Map<RepositoryKey, number>()
  for (const [key, repository] of Object.entries(repositories))
    if (isRepositoryKey(key) && repository.type === 'local') keepUntaggedMs.set(key, keptFor(repository))
  return { graceMs: milliseconds(garbageCollection.grace), keepUntaggedMs }
}

/** Nobody comes to an image of the V1 API that no tag leads to. */
function keptFor({ apiVersion, keepUntagged }: LocalConfig): number {
  if (apiVersion === 'v1') return 0
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
    const sum = { manifests: 0, links: 0, blobs: 0, bytes: 0 }
    try {
      await this.#collector.collect(signal, (collected) => this.#take(collected, sum))
    } finally {
      this.#metrics.collectionSeconds.inc((performance.now() - started) / 1000)
    }
    const summary = { ...sum, seconds: Math.round((performance.now() - started) * 1000) / 1_000_000 }
    if (sum.manifests + sum.links + sum.blobs > 0) this.#log.info(summary, 'garbage collected')
    return summary
  }

  #take(collected: Collected, sum: Record<'manifests' | 'links' | 'blobs' | 'bytes', number>): void {
    const { collected: counter, collectedBytes, collectionFailures } = this.#metrics
    switch (collected.kind) {
      case 'manifest':
        sum.manifests += collected.removed.length
        for (const { of, digest, since } of collected.removed)
          this.#log.info({ ...of, digest, since }, 'manifest collected')
        break
      case 'link':
        sum.links += collected.removed.length
        break
      case 'blob': {
        const bytes = collected.removed.reduce((sum, { size }) => sum + size, 0)
        sum.blobs += collected.removed.length
        sum.bytes += bytes
        collectedBytes.inc(bytes)
        break
      }
      case 'failure':
        collectionFailures.inc()
        this.#log.error({ err: collected.error, digest: collected.digest }, 'a blob could not be deleted')
        return
    }
    counter.inc({ kind: collected.kind }, collected.removed.length)
  }

  async #expireUploads(storage: Storage, config: RegistryConfig, abandonedMs: number): Promise<void> {
    const since = new Date(Date.now() - abandonedMs)
    const uploads = await expireUploads(storage, since, (key) => quotaBytesOf(config.repositories[key]))
    this.#metrics.expiredUploads.inc(uploads)
    while ((await storage.metadata.expireV1Pushes(since, pushesAtOnce)) > 0) continue
    if (uploads > 0) this.#log.info({ uploads }, 'abandoned uploads were removed')
  }
}
