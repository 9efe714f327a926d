import type { Action } from '../../domain/permissions.ts'
import type { Context } from '../context.ts'
import { publicOrigin } from '../public-url.ts'
import type { NameCall } from './call.ts'

const actionsOf = {
  read: ['read'],
  write: ['read', 'deploy', 'delete'],
  delete: ['delete'],
} as const satisfies Record<string, readonly Action[]>

/**
 * Where the images are, which is here, and what is as good there as the password: docker sends it where it sends no password, over plain
 * HTTP, and 1.5 and 1.6 give up without one.
 */
export async function nameEndpoints(ctx: Context, call: NameCall, access: keyof typeof actionsOf): Promise<void> {
  const { host } = publicOrigin({ trusted: ctx.state.trust !== 'none', headers: ctx.req.headers })
  ctx.set('X-Docker-Endpoints', host)
  if (ctx.get('X-Docker-Token') === '') return
  ctx.set('X-Docker-Token', await tokenFor(call, host, access))
}

async function tokenFor(
  { services, caller, repository, image }: NameCall,
  host: string,
  access: keyof typeof actionsOf,
): Promise<string> {
  const grant = { repository: repository.key, image, actions: actionsOf[access] }
  // One that was given for a token would make it last for ever.
  const owner = caller.by === 'login' ? caller.owner : undefined
  const { token } = await services.tokens.issue({ owner, grants: [grant], catalog: false }, host)
  return `signature=${token},repository="${image}",access=${access}`
}
