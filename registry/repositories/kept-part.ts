import { compilePatterns } from '../domain/ant-pattern.ts'
import type { RegistryConfig } from '../config.ts'
import { isRepositoryKey, type ImageName, type RepositoryKey } from '../domain/names.ts'
import { intersection, type TagSet } from '../domain/tag-set.ts'
import { cacheKey } from './remote/cache-view.ts'

/** What is here of a repository that keeps something by itself. */
export interface KeptPart {
  /** Under which key it is kept. */
  readonly repository: RepositoryKey
  /** Of those that may be read, the tags that there are here: a remote repository may be limited to some. */
  within(readable: (image: ImageName) => TagSet): (image: ImageName) => TagSet
}

/** By the key of the repository, or of the cache of a remote one. Undefined for a virtual one, and for what does not exist. */
export function keptPart(repositories: RegistryConfig['repositories'], key: RepositoryKey): KeptPart | undefined {
  const named = repositories[key]
  const found = named ? ([key, named] as const) : cachedAs(repositories, key)
  if (!found) return undefined
  const [repository, config] = found
  switch (config.type) {
    case 'local':
      return { repository, within: (readable) => readable }
    case 'remote': {
      const included = compilePatterns(config.includesPattern, config.excludesPattern)
      return {
        repository,
        within: (readable) => (image) => intersection(readable(image), included.tagsOf(image)),
      }
    }
    case 'virtual':
      return undefined
  }
}

function cachedAs(repositories: RegistryConfig['repositories'], key: RepositoryKey) {
  for (const [remote, config] of Object.entries(repositories))
    if (config.type === 'remote' && isRepositoryKey(remote) && cacheKey(remote) === key)
      return [remote, config] as const
  return undefined
}
