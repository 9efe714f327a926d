import type { RegistryConfig, RepositoryConfig } from '../config.ts'
import type { AccessSettings, RepositoryPlace } from '../domain/access-rules.ts'
import { isRepositoryKey, type RepositoryKey } from '../domain/names.ts'
import { cacheKey } from './remote/cache-view.ts'
import { keptNames } from './remote/image-names.ts'

/** What of the configuration decides who may do what. */
export function accessSettings(config: RegistryConfig): AccessSettings {
  const places = new Map<RepositoryKey, RepositoryPlace>()
  for (const [key, repository] of Object.entries(config.repositories))
    if (isRepositoryKey(key)) places.set(key, placeOf(repository))
  // Who may do what with the part of it that is here is who may do it with the repository.
  const remotes = [...places].filter(([, { kind }]) => kind === 'remote')
  for (const [key] of remotes) {
    const cache = cacheKey(key)
    if (cache !== undefined && !places.has(cache)) places.set(cache, { kind: 'virtual', members: [key], deployTo: key })
  }
  const { anonymousAccess, forceAuthentication } = config
  return { anonymousAccess, forceAuthentication, placeOf: (key) => places.get(key) }
}

function placeOf(repository: RepositoryConfig): RepositoryPlace {
  switch (repository.type) {
    case 'local':
      return { kind: 'local' }
    case 'remote': {
      const nameOf = keptNames(repository)
      return { kind: 'remote', nameOf }
    }
    case 'virtual':
      return {
        kind: 'virtual',
        members: repository.members.filter(isRepositoryKey),
        deployTo:
          repository.deployTo !== undefined && isRepositoryKey(repository.deployTo) ? repository.deployTo : undefined,
      }
  }
}
