import type { Logger } from 'pino'
import { quotaBytesOf, type RegistryConfig, type RepositoryConfig } from '../config.ts'
import { compilePatterns } from '../domain/ant-pattern.ts'
import { isRepositoryKey, type RepositoryKey } from '../domain/names.ts'
import { bytesOf } from '../domain/size.ts'
import type { Metrics } from '../metrics.ts'
import { LocalRepository } from './local/local-repository.ts'
import { BlobFetches } from './remote/blob-fetches.ts'
import { namespacesOf } from './remote/image-names.ts'
import { openRemote, type CacheStorage, type RemoteSurroundings } from './remote/open-remote.ts'
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

/** Throws an Error that names the place in the configuration when what it leads to cannot be read. */
export async function openRepositories(
  { repositories, limits }: Pick<RegistryConfig, 'repositories' | 'limits'>,
  surroundings: Surroundings,
): Promise<Repositories & AsyncDisposable> {
  await using opened = new AsyncDisposableStack()
  const { storage, metrics, log } = surroundings
  const fetches = opened.adopt(new BlobFetches({ storage, log }), (fetches) => fetches.close())
  const maxManifestBytes = bytesOf(limits.manifestSize)
  const remotes = { storage, fetches, maxManifestBytes, metrics, log }
  const byKey = new Map<string, Repository>()
  for (const [key, config] of Object.entries(repositories)) {
    if (!isRepositoryKey(key)) throw new Error(`"${key}" is not a repository key`)
    byKey.set(key, await openRepository(key, config, { limits, remotes, opened }))
  }
  const mirrors = new Map<string, Repository>()
  for (const [key, config] of Object.entries(repositories).toReversed()) {
    const repository = byKey.get(key)
    if (config.type === 'remote' && repository) for (const name of namespacesOf(config)) mirrors.set(name, repository)
  }
  const running = opened.move()
  return {
    find: (key) => byKey.get(key),
    forNamespace: (namespace) => mirrors.get(namespace.toLowerCase()),
    list: () => [...byKey.values()],
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

export interface Surroundings {
  readonly storage: CacheStorage
  readonly metrics: Metrics
  readonly log: Logger
}

interface Building {
  readonly limits: RegistryConfig['limits']
  readonly remotes: RemoteSurroundings
  readonly opened: AsyncDisposableStack
}

/** The only place that asks what type a repository has. */
async function openRepository(
  key: RepositoryKey,
  config: RepositoryConfig,
  { limits, remotes, opened }: Building,
): Promise<Repository> {
  switch (config.type) {
    case 'local':
      return config.apiVersion === 'v2'
        ? new LocalRepository(key, remotes.storage, {
            uploadsPerUser: limits.uploadsPerUser,
            quotaBytes: quotaBytesOf(config),
            ...(config.immutableTags.length > 0 && { immutableTags: compilePatterns(config.immutableTags) }),
          })
        : new UnservedRepository(key, 'local', 'local (apiVersion v1)')
    case 'remote':
      return opened.use(await openRemote(key, config, remotes)).repository
    case 'virtual':
      return new UnservedRepository(key, 'virtual', 'virtual')
  }
}
