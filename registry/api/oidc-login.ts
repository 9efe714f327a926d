import { RegistryError } from '../domain/errors.ts'
import type { Context } from '../http/context.ts'
import { originOf } from '../http/origin.ts'
import { publicOrigin } from '../http/public-url.ts'
import { requestId } from '../http/request-id.ts'
import type { Services } from '../http/services.ts'
import { cookieOf, setCookie } from '../identity/cookies.ts'
import type { Login } from '../identity/oidc/login.ts'
import { pendingSeconds } from '../identity/oidc/pending-login.ts'
import { parseReturnTo } from '../identity/oidc/return-to.ts'
import { sessionCookie, sessionId } from '../identity/sessions.ts'

const pendingCookie = 'caisson-login'

/** Sends a browser to the provider; `returnTo` is where it is sent in the end. */
export async function beginLogin(ctx: Context, services: Services, provider: string): Promise<void> {
  const place = placeOf(ctx, services, provider)
  const returnTo = parseReturnTo(new URLSearchParams(ctx.state.target.query).get('returnTo') ?? '/')
  const { location, pending } = await loginOf(services, provider).begin(place.redirectUri, returnTo)
  keepPending(ctx, place, pending, pendingSeconds)
  redirect(ctx, location)
}

/** Where the provider sends the browser back to. Whatever it says, the login that was pending no longer is. */
export async function finishLogin(ctx: Context, services: Services, provider: string): Promise<void> {
  const place = placeOf(ctx, services, provider)
  const login = loginOf(services, provider)
  keepPending(ctx, place, '', 0)
  const callback = new URL(`${place.redirectUri}${ctx.state.target.query}`)
  const { user, returnTo } = await finish(ctx, services, { provider, login, callback })

  const former = sessionId(ctx.req.headers)
  if (former !== undefined) await services.sessions.end(former)
  const id = await services.sessions.begin(provider, user)
  const { secure } = place
  ctx.append('Set-Cookie', setCookie({ name: sessionCookie, value: id, path: '/', secure, maxAgeSeconds: undefined }))
  services.log.info({ requestId: requestId(ctx), by: user.name, provider }, 'logged in')
  services.audit.record({ type: 'login', by: user.name, with: `oidc:${provider}`, ...originOf(ctx, services) })
  redirect(ctx, returnTo)
}

interface Callback {
  readonly provider: string
  readonly login: Login
  readonly callback: URL
}

async function finish(ctx: Context, services: Services, { provider, login, callback }: Callback) {
  try {
    return await login.finish(callback, cookieOf(ctx.req.headers.cookie, pendingCookie))
  } catch (error) {
    if (error instanceof RegistryError) recordFailure(ctx, services, provider, error.message)
    throw error
  }
}

function recordFailure(ctx: Context, services: Services, provider: string, reason: string): void {
  services.log.warn({ requestId: requestId(ctx), reason }, 'login failed')
  services.audit.record({ type: 'login.failed', with: `oidc:${provider}`, reason, ...originOf(ctx, services) })
}

interface Place {
  readonly redirectUri: string
  readonly path: string
  readonly secure: boolean
}

function placeOf(ctx: Context, { config }: Services, provider: string): Place {
  const { origin } = publicOrigin({ trusted: ctx.state.trust !== 'none', headers: ctx.req.headers })
  const path = `${config.context}/api/oidc/${provider}`
  return { redirectUri: `${origin}${path}/callback`, path, secure: origin.startsWith('https:') }
}

function loginOf({ oidc }: Services, provider: string): Login {
  const login = oidc.logins.get(provider)
  if (login) return login
  throw new RegistryError('NAME_UNKNOWN', { message: 'there is no such provider to log in with' })
}

function keepPending(ctx: Context, { path, secure }: Place, value: string, maxAgeSeconds: number): void {
  ctx.append('Set-Cookie', setCookie({ name: pendingCookie, value, path, secure, maxAgeSeconds }))
}

/** The address holds a code: it is kept nowhere and told to nobody. */
function redirect(ctx: Context, location: string): void {
  ctx.set('Cache-Control', 'no-store')
  ctx.set('Referrer-Policy', 'no-referrer')
  ctx.set('Location', location)
  ctx.status = 302
  ctx.body = ''
}
