import type { RegistryConfig, RepositoryConfig } from '../registry/config.ts'
import { isImageName } from '../registry/domain/names.ts'
import { keptNames, upstreamName } from '../registry/repositories/remote/image-names.ts'

/** What is behind the repository that a request comes to; nothing where it answers by itself. */
export function explainRepository(
  { repositories }: Pick<RegistryConfig, 'repositories'>,
  key: string,
  rest: string,
): readonly string[] {
  const repository = Object.entries(repositories).find(([one]) => one === key)?.[1]
  switch (repository?.type) {
    case 'remote':
      return [`caches    ${upstreamUrl(repository, rest)}`]
    case 'virtual': {
      const { members, deployTo } = repository
      const pushes = deployTo === undefined ? 'nothing can be pushed' : `pushes go to ${deployTo}`
      return [`members   ${members.join(', ')}; ${pushes}`]
    }
    case 'local':
    case undefined:
      return []
  }
}

/** `rest`: what follows `/v2/`. */
function upstreamUrl(remote: Extract<RepositoryConfig, { readonly type: 'remote' }>, rest: string): string {
  const base = `${remote.url.replace(/\/$/, '')}/v2/`
  const [, name = '', what = ''] = /^(.+?)(\/(?:manifests|blobs|tags|referrers)\/.*)$/.exec(rest) ?? []
  if (!isImageName(name)) return base + rest
  return base + upstreamName(remote, keptNames(remote)(name)) + what
}
