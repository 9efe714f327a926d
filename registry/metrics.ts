import { Counter, Gauge, Registry } from 'prom-client'
import type { Garbage } from './storage/garbage.ts'

/** What the registry counts, for Prometheus. Names and units follow its conventions: `_total`, `_bytes`, `_seconds`. */
export interface Metrics {
  readonly contentType: string
  text(): Promise<string>
  readonly collected: Counter<'kind'>
  readonly collectedBytes: Counter
  readonly collectionSeconds: Counter
  readonly collectionFailures: Counter
  readonly expiredUploads: Counter
  readonly removedUnused: Counter<'repository'>
  /** `outcome`: hit, miss, stale, absent or failed. */
  readonly cacheRequests: Counter<'repository' | 'kind' | 'outcome'>
  /** `outcome`: the status, or why there was none. */
  readonly upstreamRequests: Counter<'repository' | 'outcome'>
  readonly upstreamReceivedBytes: Counter<'repository'>
  readonly upstreamRateLimit: Gauge<'repository'>
  readonly upstreamRateLimitRemaining: Gauge<'repository'>
}

export function openMetrics(garbage: Pick<Garbage, 'countReviews'>): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const waiting = new Gauge({
    name: 'caisson_garbage_reviews',
    help: 'What waits to be looked at by garbage collection.',
    labelNames: ['kind'],
    registers,
  })
  return {
    contentType: registry.contentType,
    text: async () => {
      for (const [kind, reviews] of Object.entries(await garbage.countReviews())) waiting.set({ kind }, reviews)
      return registry.metrics()
    },
    collected: new Counter({
      name: 'caisson_garbage_collected_total',
      help: 'Manifests, links of blobs to images, and blobs that garbage collection has removed.',
      labelNames: ['kind'],
      registers,
    }),
    collectedBytes: new Counter({
      name: 'caisson_garbage_collected_bytes_total',
      help: 'Bytes of the blobs that garbage collection has deleted.',
      registers,
    }),
    collectionSeconds: new Counter({
      name: 'caisson_garbage_collection_seconds_total',
      help: 'Time that garbage collection has run.',
      registers,
    }),
    collectionFailures: new Counter({
      name: 'caisson_garbage_collection_failures_total',
      help: 'Blobs that could not be deleted; they are tried again.',
      registers,
    }),
    expiredUploads: new Counter({
      name: 'caisson_uploads_expired_total',
      help: 'Uploads that nobody went on with and that were removed.',
      registers,
    }),
    removedUnused: new Counter({
      name: 'caisson_cache_unused_removed_total',
      help: 'Cached manifests that nobody had asked for in a while and that were removed.',
      labelNames: ['repository'],
      registers,
    }),
    cacheRequests: new Counter({
      name: 'caisson_cache_requests_total',
      help: 'Manifests and blobs that remote repositories were asked for, and how it went.',
      labelNames: ['repository', 'kind', 'outcome'],
      registers,
    }),
    upstreamRequests: new Counter({
      name: 'caisson_upstream_requests_total',
      help: 'Requests to the registries behind remote repositories, by the status of the answer.',
      labelNames: ['repository', 'outcome'],
      registers,
    }),
    upstreamReceivedBytes: new Counter({
      name: 'caisson_upstream_received_bytes_total',
      help: 'Bytes of manifests and blobs that have come from upstream.',
      labelNames: ['repository'],
      registers,
    }),
    upstreamRateLimit: new Gauge({
      name: 'caisson_upstream_rate_limit',
      help: 'How many pulls the upstream allows in its window, as it says (Docker Hub does).',
      labelNames: ['repository'],
      registers,
    }),
    upstreamRateLimitRemaining: new Gauge({
      name: 'caisson_upstream_rate_limit_remaining',
      help: 'How many of them are left, as the upstream said last.',
      labelNames: ['repository'],
      registers,
    }),
  }
}
