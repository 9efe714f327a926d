import type { Context } from '../context.ts'

/**
 * end-1. Needs a login although anonymous may read: it is here that `docker login` learns where to log in. A client
 * without a password comes back with an anonymous token.
 */
export async function checkVersion(ctx: Context): Promise<void> {
  ctx.status = 200
  ctx.set('Content-Type', 'application/json')
  ctx.body = '{}'
}
