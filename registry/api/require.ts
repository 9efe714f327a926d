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

/**
 * Who may have what goes on without what was shown here: a new password, a key, another token. Else whoever finds a token that may do little
 * or ends soon has made one of it that may do everything, for ever. An admin could do so anyhow, by making another admin.
 */
export async function requireInPerson(ctx: Context, services: Services): Promise<Login> {
  const login = await requireLogin(ctx, services)
  if (isAdmin(login) || isInPerson(login)) return login
  return refuse(ctx, services, login, `log in with the password for this: it is not for who shows an ${login.with}`)
}

/** A token of an admin that is limited to some images is none for the rest. */
export function isAdmin({ principal }: Login): boolean {
  return principal.admin && principal.limits === undefined
}

/** Whoever knows the password itself, or has logged in with a browser. */
export function isInPerson({ with: means }: Login): boolean {
  return means === 'password' || means === 'session'
}

/** Throws DENIED, which is recorded. */
export function refuse(ctx: Context, services: Services, { principal, ...login }: Login, message: string): never {
  const who = { by: principal.name, with: login.with, ...originOf(ctx, services) }
  services.audit.record({ type: 'refused', ...who, action: `${ctx.method} ${ctx.path}` })
  throw new RegistryError('DENIED', { message })
}
