import type { Logger } from 'pino'
import type { RegistryConfig } from '../config.ts'
import { isRepositoryKey, type RepositoryKey } from '../domain/names.ts'
import type { Metrics } from '../metrics.ts'
import { usePrecisionMs, type ImageCache } from '../storage/image-cache.ts'
import type { Job } from './schedule.ts'

/** Manifests in one transaction: pulls wait for no more than this takes. */
const batch = 50
const hourMs = 3_600_000

/** Removes from the caches what nobody has asked for in as long as each is told to keep it. Its blobs are garbage then. */
export function unusedImages(
  cache: Pick<ImageCache, 'removeUnused'>,
  { repositories }: Pick<RegistryConfig, 'repositories'>,
  { removedUnused }: Pick<Metrics, 'removedUnused'>,
  log: Logger,
  now: () => Date = () => new Date(),
): Job {
  const remove = async (repository: RepositoryKey, hours: number, signal: AbortSignal): Promise<void> => {
    const since = new Date(now().getTime() - hours * hourMs - usePrecisionMs)
    let removed
    do {
      removed = await cache.removeUnused(repository, since, batch)
      removedUnused.inc({ repository }, removed.length)
      for (const { of, digest } of removed) log.info({ ...of, digest }, 'unused manifest removed from the cache')
      await new Promise((resolve) => setImmediate(resolve)) // others come first
    } while (removed.length > 0 && !signal.aborted)
  }
  return {
    name: 'removal of unused images',
    everyMs: hourMs,
    run: async (signal) => {
      for (const [key, repository] of Object.entries(repositories))
        if (isRepositoryKey(key) && repository.type === 'remote' && repository.unusedArtifactsCleanupPeriodHours > 0)
          await remove(key, repository.unusedArtifactsCleanupPeriodHours, signal)
    },
  }
}
