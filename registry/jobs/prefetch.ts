import type { Logger } from 'pino'
import type { RegistryConfig } from '../config.ts'
import { milliseconds } from '../domain/duration.ts'
import { RegistryError } from '../domain/errors.ts'
import { parseImageName } from '../domain/names.ts'
import { prefetch } from '../repositories/prefetch.ts'
import type { Repository } from '../repositories/repository.ts'
import type { Job } from './schedule.ts'

/** Fetches what the configuration says is to be here before anybody asks for it: one job for each entry. */
export function prefetchJobs(
  { repositories }: Pick<RegistryConfig, 'repositories'>,
  find: (key: string) => Repository | undefined,
  log: Logger,
): readonly Job[] {
  return Object.entries(repositories).flatMap(([key, config]) => {
    const repository = find(key)
    if (config.type !== 'remote' || !repository) return []
    return config.prefetch.map(({ image, tags, platforms, every }) => ({
      name: `prefetch of ${key}/${image}`,
      everyMs: milliseconds(every),
      run: async (signal) => {
        const sum = { repository: key, image, fetched: 0, bytes: 0 }
        try {
          for await (const { cache, size } of prefetch(
            repository,
            { image: parseImageName(image), tags, platforms },
            signal,
          ))
            if (cache === 'miss') {
              sum.fetched += 1
              sum.bytes += size
            }
        } catch (error) {
          if (!(error instanceof RegistryError)) throw error
          log.warn({ ...sum, err: error }, 'not all could be prefetched; it is tried again')
        }
        if (sum.fetched > 0) log.info(sum, 'prefetched')
      },
    }))
  })
}
