import { RegistryError } from '../domain/errors.ts'
import type { Context } from '../http/context.ts'
import { originOf } from '../http/origin.ts'
import type { Services } from '../http/services.ts'
import type { Login } from '../identity/authenticate.ts'
import { challenge, identify } from './identify.ts'

/** Who has logged in. Throws UNAUTHORIZED with a challenge. A token for docker is good for images alone. */
export async function requireLogin(ctx: Context, services: Services): Promise<Login> {
  const caller = await identify(ctx, services)
  return caller.by === 'login' ? caller : challenge(ctx)
}

/** The admin who asks. Throws UNAUTHORIZED with a challenge, or DENIED. */
export async function requireAdmin(ctx: Context, services: Services): Promise<Login> {
  const login = await requireLogin(ctx, services)
  if (isAdmin(login)) return login
  return refuse(ctx, services, login, `${login.principal.name} is no admin`)
}

/** Whoever may have what goes on without what was shown here, by {@link checkInPerson}. Throws UNAUTHORIZED with a challenge, or DENIED. */
export async function requireInPerson(ctx: Context, services: Services): Promise<Login> {
  const login = await requireLogin(ctx, services)
  checkInPerson(ctx, services, login)
  return login
}

/**
 * For a new password, a key, another token: else whoever finds a token that may do little or ends soon has made one of it that may do
 * everything, for ever. An admin could do so anyhow, by making another admin. Throws DENIED.
 */
export function checkInPerson(ctx: Context, services: Services, login: Login): void {
  if (isAdmin(login) || isInPerson(login)) return
  refuse(ctx, services, login, `log in with the password for this: ${nameOf(login)} is not enough`)
}

/** A token of an admin that is limited to some images is none for the rest. */
export function isAdmin({ principal }: Login): boolean {
  return principal.admin && principal.limits === undefined
}

/** Whoever knows the password itself, or has logged in with a browser. */
export function isInPerson({ with: means }: Login): boolean {
  return means === 'password' || means === 'session'
}

function nameOf({ with: means }: Login): string {
  return means === 'access' ? 'an access token' : `the ${means}`
}

/** Throws DENIED, which is recorded. */
export function refuse(ctx: Context, services: Services, { principal, ...login }: Login, message: string): never {
  const who = { by: principal.name, with: login.with, ...originOf(ctx, services) }
  services.audit.record({ type: 'refused', ...who, action: `${ctx.method} ${ctx.path}` })
  throw new RegistryError('DENIED', { message })
}
