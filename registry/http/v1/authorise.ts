import { challenge, identify } from '../../api/identify.ts'
import { admitsAnonymous } from '../../domain/access-rules.ts'
import type { RepositoryKey, ImageName, Tag } from '../../domain/names.ts'
import type { Action } from '../../domain/permissions.ts'
import { principalOf, type Caller } from '../../identity/authenticate.ts'
import type { Context } from '../context.ts'
import type { Services } from '../services.ts'
import { tagsAllowed } from '../v2/access.ts'
import { covers, denied, type Authorised } from '../v2/authorise.ts'

interface Wish {
  readonly repository: RepositoryKey
  readonly image: ImageName
  readonly action: Action
  readonly tag: Tag | undefined
}

/** The caller, who may. Throws UNAUTHORIZED with a challenge, or DENIED for a user who may not. */
export async function authoriseName(ctx: Context, services: Services, wish: Wish): Promise<Authorised> {
  const caller = await identify(ctx, services)
  const allowed = await tagsAllowed(services, caller, wish.action, wish)
  if (covers(allowed, wish.tag)) return { caller, allowed }
  if (caller.by === 'login') throw denied(ctx, services, caller.principal.name, { ...wish, actions: [wish.action] })
  return challenge(ctx)
}

/**
 * The caller, who may do this with something of the repository: what an id is about is known when it has been looked for. Throws
 * UNAUTHORIZED with a challenge where a login could help.
 */
export async function authoriseAny(
  ctx: Context,
  services: Services,
  repository: RepositoryKey,
  action: Action,
): Promise<Caller> {
  const caller = await identify(ctx, services)
  if (caller.by === 'login') return caller
  if (caller.by === 'nothing' && !admitsAnonymous(services.config, repository)) return challenge(ctx)
  const extent = (await services.directory.rules()).extentOf(principalOf(caller), action, repository)
  return extent === 'none' ? challenge(ctx) : caller
}
