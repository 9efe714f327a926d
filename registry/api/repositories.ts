import type { AccessRules } from '../domain/access-rules.ts'
import { isRepositoryKey, type RepositoryKey } from '../domain/names.ts'
import type { Context } from '../http/context.ts'
import { publicOrigin } from '../http/public-url.ts'
import type { Services } from '../http/services.ts'
import { principalOf, type Caller } from '../identity/authenticate.ts'
import { identify } from './identify.ts'

/** Artifactory's "Get Repositories": those that the caller may read in. */
export async function listRepositories(ctx: Context, services: Services): Promise<void> {
  const { config, directory } = services
  const caller = await identify(ctx, services)
  const rules = await directory.rules()
  const { origin } = publicOrigin({ trusted: ctx.state.trust !== 'none', headers: ctx.req.headers })
  ctx.status = 200
  ctx.body = Object.entries(config.repositories)
    .filter(([key]) => isRepositoryKey(key) && mayKnow(caller, key, rules))
    .map(([key, repository]) => ({
      key,
      description: repository.description,
      type: repository.type.toUpperCase(),
      url: repository.type === 'remote' ? repository.url : `${origin}${config.context}/api/docker/${key}`,
      packageType: 'docker',
    }))
}

/** A token for docker is good for the images that it names. */
function mayKnow(caller: Caller, key: RepositoryKey, rules: AccessRules): boolean {
  if (caller.by === 'token') {
    const { grants } = caller.token
    if (!grants.some(({ repository, actions }) => repository === key && actions.includes('read'))) return false
  }
  return rules.extentOf(principalOf(caller), 'read', key) !== 'none'
}
