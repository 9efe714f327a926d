import type { Caller } from '../identity/authenticate.ts'
import type { Context } from './context.ts'
import { originOf } from './origin.ts'
import type { Services } from './services.ts'

/** Who asks. Throws UNAUTHORIZED for credentials that are wrong, TOOMANYREQUESTS after many of them. */
export async function callerOf(ctx: Context, services: Services): Promise<Caller> {
  const { authorization, 'x-jfrog-art-api': apiKey } = ctx.req.headers
  return services.identities.authenticate({
    authorization,
    apiKey: typeof apiKey === 'string' ? apiKey : undefined,
    from: () => originOf(ctx, services),
  })
}
