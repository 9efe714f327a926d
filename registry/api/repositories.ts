import { isRepositoryKey } from '../domain/names.ts'
import { permits } from '../domain/permissions.ts'
import type { Context } from '../http/context.ts'
import { publicOrigin } from '../http/public-url.ts'
import type { Services } from '../http/services.ts'

/** Artifactory's "Get Repositories": those that the caller may read in. */
export async function listRepositories(ctx: Context, { config, identities }: Services): Promise<void> {
  const principal = await identities.principalOf(await identities.authenticate(ctx.req.headers.authorization))
  const { origin } = publicOrigin({ trusted: ctx.state.trust !== 'none', headers: ctx.req.headers })
  ctx.status = 200
  ctx.body = Object.entries(config.repositories)
    .filter(([key]) => isRepositoryKey(key) && permits(principal, 'read', key, undefined, config))
    .map(([key, repository]) => ({
      key,
      description: repository.description,
      type: repository.type.toUpperCase(),
      url: repository.type === 'remote' ? repository.url : `${origin}${config.context}/api/docker/${key}`,
      packageType: 'docker',
    }))
}
