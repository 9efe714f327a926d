import type { Context } from '../http/context.ts'
import { publicOrigin } from '../http/public-url.ts'
import type { Services } from '../http/services.ts'
import type { KnownUser } from '../identity/directory.ts'
import { sessionOf, type Session } from '../identity/sessions.ts'

/** Throws DENIED for a request that another site's page makes the browser send. */
export async function findSession(ctx: Context, { sessions }: Services): Promise<Session | undefined> {
  const { headers } = ctx.req
  const { origin } = publicOrigin({ trusted: ctx.state.trust !== 'none', headers })
  return await sessionOf(sessions, { method: ctx.method, headers }, origin)
}

/**
 * Who has logged in with this browser. Undefined also when the user is gone, or the name has become that of somebody whom the provider of
 * the session does not vouch for. Throws as {@link findSession} does.
 */
export async function sessionUser(
  ctx: Context,
  services: Services,
): Promise<{ readonly session: Session; readonly user: KnownUser } | undefined> {
  const session = await findSession(ctx, services)
  const user = session && (await services.directory.find(session.user))
  return user && user.record.realm === `oidc:${session.provider}` ? { session, user } : undefined
}
