import type { Logger } from 'pino'
import { quotaBytesOf, type RegistryConfig, type RepositoryConfig } from '../config.ts'
import { compilePatterns } from '../domain/ant-pattern.ts'
import type { RepositoryKey } from '../domain/names.ts'
import { bytesOf } from '../domain/size.ts'
import type { Metrics } from '../metrics.ts'
import { LocalRepository } from './local/local-repository.ts'
import { V1Repository } from './local/v1-repository.ts'
import type { V1Images } from '../storage/v1-images.ts'
import { membersFirst } from './members-first.ts'
import { BlobFetches } from './remote/blob-fetches.ts'
import { cacheKey, CacheView } from './remote/cache-view.ts'
import { namespacesOf } from './remote/image-names.ts'
import { openRemote, type CacheStorage, type RemoteSurroundings } from './remote/open-remote.ts'
import type { Repository } from './repository.ts'
import { FailureLog, type Member } from './virtual/question.ts'
import { VirtualRepository } from './virtual/virtual-repository.ts'

export interface Repositories {
  /** Undefined when no repository has this key, or when it is no key at all. */
  find(key: string): Repository | undefined
  /** The local repository that speaks the V1 API, and no other. */
  findV1(key: string): V1Repository | undefined
  /** The first remote one that caches the registry of that name. */
  forNamespace(namespace: string): Repository | undefined
  /** In the order of the configuration. */
  list(): readonly Repository[]
}

/** Throws an Error that names the place in the configuration when what it leads to cannot be read. */
export async function openRepositories(
  { repositories, limits }: Pick<RegistryConfig, 'repositories' | 'limits'>,
  { storage, metrics, log }: Surroundings,
): Promise<Repositories & AsyncDisposable> {
  await using opened = new AsyncDisposableStack()
  const fetches = new BlobFetches(storage, log)
  const remotes = { storage, fetches, maxManifestBytes: bytesOf(limits.manifestSize), metrics, log }
  const byKey = new Map<string, Repository>()
  const byV1 = new Map<string, V1Repository>()
  const members = new Map<string, Member>()
  const caches = new Map<string, Repository>()
  for (const [key, config] of membersFirst(Object.entries(repositories))) {
    const repository = await openRepository(key, config, { limits, remotes, members, caches, opened })
    byKey.set(key, repository)
    const ofV1 = openV1(config, repository, storage)
    // Its images are none to those who ask a virtual repository.
    if (ofV1) byV1.set(key, ofV1)
    else members.set(key, { repository, failsHard: failsHard(config) })
  }
  const mirrors = new Map<string, Repository>()
  for (const [key, config] of Object.entries(repositories).toReversed()) {
    const repository = byKey.get(key)
    if (config.type === 'remote' && repository) for (const name of namespacesOf(config)) mirrors.set(name, repository)
  }
  // Before the connections by which they come in: what these break off with would be taken for a failure of the upstream.
  opened.defer(() => fetches.close())
  const inOrder = Object.keys(repositories).flatMap((key) => byKey.get(key) ?? [])
  const running = opened.move()
  return {
    find: (key) => byKey.get(key) ?? caches.get(key),
    findV1: (key) => byV1.get(key),
    forNamespace: (namespace) => mirrors.get(namespace.toLowerCase()),
    list: () => inOrder,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

export interface Surroundings {
  readonly storage: CacheStorage & { readonly metadata: V1Images }
  readonly metrics: Metrics
  readonly log: Logger
}

interface Building {
  readonly limits: RegistryConfig['limits']
  readonly remotes: RemoteSurroundings
  /** Those that can be members of others, as far as they have been opened. */
  readonly members: ReadonlyMap<string, Member>
  /** What is cached of remote ones, by a key of its own. */
  readonly caches: Map<string, Repository>
  readonly opened: AsyncDisposableStack
}

/** The only place that asks what type a repository has. */
async function openRepository(
  key: RepositoryKey,
  config: RepositoryConfig,
  { limits, remotes, members, caches, opened }: Building,
): Promise<Repository> {
  switch (config.type) {
    case 'local':
      return new LocalRepository(key, remotes.storage, {
        uploadsPerUser: limits.uploadsPerUser,
        quotaBytes: quotaBytesOf(config),
        blockPushingSchema1: config.blockPushingSchema1,
        ...(config.immutableTags.length > 0 && { immutableTags: compilePatterns(config.immutableTags) }),
      })
    case 'remote': {
      const { repository } = opened.use(await openRemote(key, config, remotes))
      const cache = cacheKey(key)
      if (cache !== undefined) caches.set(cache, new CacheView(cache, repository))
      return repository
    }
    case 'virtual': {
      const { deployTo, resolveTagsBy } = config
      const settings = {
        key,
        members: config.members.flatMap((member) => members.get(member) ?? []),
        deployTo: deployTo === undefined ? undefined : members.get(deployTo)?.repository,
        resolveTagsBy,
      }
      return new VirtualRepository(settings, new FailureLog(key, remotes.log))
    }
  }
}

function openV1(
  config: RepositoryConfig,
  repository: Repository,
  storage: CacheStorage & { readonly metadata: V1Images },
): V1Repository | undefined {
  const speaksV1 = config.type === 'local' && config.apiVersion === 'v1'
  return speaksV1 && repository instanceof LocalRepository ? new V1Repository(repository, storage) : undefined
}

function failsHard(config: RepositoryConfig): boolean {
  return config.type === 'local' || (config.type === 'remote' && config.hardFail)
}
