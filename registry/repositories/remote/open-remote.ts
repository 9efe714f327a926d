import type { Logger } from 'pino'
import type { RemoteConfig } from '../../config.ts'
import { compilePatterns } from '../../domain/ant-pattern.ts'
import type { RepositoryKey } from '../../domain/names.ts'
import type { Metrics } from '../../metrics.ts'
import type { BlobStore } from '../../storage/blob-store.ts'
import type { ImageCache } from '../../storage/image-cache.ts'
import { memoryCache } from '../../storage/memory-cache.ts'
import type { Images, UploadOwners } from '../../storage/metadata-store.ts'
import { withOutages } from '../upstream/outages.ts'
import { openUpstream } from '../upstream/registry-client.ts'
import type { UpstreamObserver } from '../upstream/upstream.ts'
import type { BlobFetches } from './blob-fetches.ts'
import { CachedLists } from './cached-lists.ts'
import { ForeignLayers } from './foreign-layers.ts'
import { Freshness, type Known } from './freshness.ts'
import { keptNames, namespacesOf, nameOfUpstreams, upstreamName } from './image-names.ts'
import { RememberedLists } from './remembered-lists.ts'
import { RemoteRepository, type CountCache } from './remote-repository.ts'
import { Uses } from './uses.ts'

/** Of tags, and of what was not there; what is forgotten is asked for again. */
const maxRemembered = 100_000
/** Characters of all lists that are remembered. */
const maxRememberedLists = 16 * 1024 * 1024

export interface CacheStorage {
  readonly blobs: BlobStore
  readonly metadata: Images & UploadOwners & ImageCache
}

export interface RemoteSurroundings {
  readonly storage: CacheStorage
  readonly fetches: BlobFetches
  readonly maxManifestBytes: number
  readonly metrics: Metrics
  readonly log: Logger
}

/** Throws an Error that names the place in the configuration when a secret or certificate cannot be read. */
export async function openRemote(
  key: RepositoryKey,
  config: RemoteConfig,
  { storage, fetches, maxManifestBytes, metrics, log }: RemoteSurroundings,
): Promise<{ readonly repository: RemoteRepository } & AsyncDisposable> {
  const { blobs, metadata } = storage
  const client = await namingPlace(`registry.repositories.${key}`, () =>
    openUpstream(config, observing(key, metrics), { maxManifestBytes }),
  )
  const upstream = withOutages(client, {
    ...config,
    noticed: (change, reason) => log.warn({ repository: key, reason }, `the upstream is ${change}`),
  })
  const foreign = new ForeignLayers(upstream, config.externalDependenciesPatterns, memoryCache(maxRemembered))
  const parts = {
    key,
    settings: { ...config, includes: compilePatterns(config.includesPattern, config.excludesPattern) },
    upstream,
    nameThere: (image: Parameters<typeof upstreamName>[1]) => upstreamName(config, image),
    metadata,
    freshness: new Freshness(memoryCache<Known>(maxRemembered), config),
    log,
  }
  const lists = new CachedLists(parts, {
    remembered: new RememberedLists(maxRememberedLists),
    rememberMs: config.retrievalCachePeriodSecs * 1000,
    nameHere: (name) => nameOfUpstreams(config, name),
  })
  const repository = new RemoteRepository({
    ...parts,
    blobs,
    fetches,
    foreign,
    lists,
    uses: new Uses(metadata, memoryCache(maxRemembered), () => new Date()),
    kept: keptNames(config),
    namespaces: namespacesOf(config),
    count: counting(key, metrics),
  })
  return { repository, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() }
}

async function namingPlace<opened>(place: string, open: () => Promise<opened>): Promise<opened> {
  try {
    return await open()
  } catch (cause) {
    throw new Error(`${place}.${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

function observing(repository: RepositoryKey, metrics: Metrics): UpstreamObserver {
  const receivedBytes = metrics.upstreamReceivedBytes.labels(repository)
  return {
    answered: (outcome) => metrics.upstreamRequests.inc({ repository, outcome }),
    received: (bytes) => receivedBytes.inc(bytes),
    rateLimit: (limit, remaining) => {
      metrics.upstreamRateLimit.set({ repository }, limit)
      metrics.upstreamRateLimitRemaining.set({ repository }, remaining)
    },
  }
}

function counting(repository: RepositoryKey, { cacheRequests }: Metrics): CountCache {
  return (kind, outcome) => cacheRequests.inc({ repository, kind, outcome })
}
