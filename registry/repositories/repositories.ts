import { quotaBytesOf, type RegistryConfig, type RepositoryConfig } from '../config.ts'
import { compilePatterns } from '../domain/ant-pattern.ts'
import { isRepositoryKey, type RepositoryKey } from '../domain/names.ts'
import { LocalRepository, type Storage } from './local/local-repository.ts'
import { namespacesOf } from './remote/image-names.ts'
import type { Repository } from './repository.ts'
import { UnservedRepository } from './unserved-repository.ts'

export interface Repositories {
  /** Undefined when no repository has this key, or when it is no key at all. */
  find(key: string): Repository | undefined
  /** The first remote one that caches the registry of that name. */
  forNamespace(namespace: string): Repository | undefined
  /** In the order of the configuration. */
  list(): readonly Repository[]
}

export function openRepositories(
  { repositories, limits }: Pick<RegistryConfig, 'repositories' | 'limits'>,
  storage: Storage,
): Repositories {
  const byKey = new Map<string, Repository>()
  for (const [key, config] of Object.entries(repositories)) {
    if (!isRepositoryKey(key)) throw new Error(`"${key}" is not a repository key`)
    byKey.set(key, openRepository(key, config, limits, storage))
  }
  const mirrors = new Map<string, Repository>()
  for (const [key, config] of Object.entries(repositories).toReversed()) {
    const repository = byKey.get(key)
    if (config.type === 'remote' && repository) for (const name of namespacesOf(config)) mirrors.set(name, repository)
  }
  return {
    find: (key) => byKey.get(key),
    forNamespace: (namespace) => mirrors.get(namespace.toLowerCase()),
    list: () => [...byKey.values()],
  }
}

/** The only place that asks what type a repository has. */
function openRepository(
  key: RepositoryKey,
  config: RepositoryConfig,
  { uploadsPerUser }: RegistryConfig['limits'],
  storage: Storage,
): Repository {
  switch (config.type) {
    case 'local':
      return config.apiVersion === 'v2'
        ? new LocalRepository(key, storage, {
            uploadsPerUser,
            quotaBytes: quotaBytesOf(config),
            ...(config.immutableTags.length > 0 && { immutableTags: compilePatterns(config.immutableTags) }),
          })
        : new UnservedRepository(key, 'local', 'local (apiVersion v1)')
    case 'remote':
      return new UnservedRepository(key, 'remote', 'remote')
    case 'virtual':
      return new UnservedRepository(key, 'virtual', 'virtual')
  }
}
