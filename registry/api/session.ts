import { RegistryError } from '../domain/errors.ts'
import type { Context } from '../http/context.ts'
import { publicOrigin } from '../http/public-url.ts'
import type { Services } from '../http/services.ts'
import { setCookie } from '../identity/cookies.ts'
import { sessionCookie, sessionId } from '../identity/sessions.ts'
import { findSession, sessionUser } from './session-user.ts'

/** Who is logged in with this browser. Throws UNAUTHORIZED when nobody is, without a challenge: the page asks, not the browser. */
export async function answerSession(ctx: Context, services: Services): Promise<void> {
  ctx.set('Cache-Control', 'no-store')
  const found = await sessionUser(ctx, services)
  if (!found) throw new RegistryError('UNAUTHORIZED', { message: 'nobody is logged in' })
  const { user, provider, expiresAt } = found.session
  const { groups, admin } = found.user.principal
  ctx.status = 200
  ctx.body = { user, groups, admin, provider, expiresAt: expiresAt.toISOString() }
}

/** Logs out here; the provider's own session is none of ours. Answers 204 also when nobody was logged in. */
export async function endSession(ctx: Context, services: Services): Promise<void> {
  await findSession(ctx, services)
  const id = sessionId(ctx.req.headers)
  if (id !== undefined) await services.sessions.end(id)
  const secure = originOf(ctx).startsWith('https:')
  ctx.set('Set-Cookie', setCookie({ name: sessionCookie, value: '', path: '/', secure, maxAgeSeconds: 0 }))
  ctx.status = 204
}

function originOf(ctx: Context): string {
  return publicOrigin({ trusted: ctx.state.trust !== 'none', headers: ctx.req.headers }).origin
}
