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
  const by = login.principal.name
  services.audit.record({ type: 'refused', by, ...originOf(ctx, services), action: `${ctx.method} ${ctx.path}` })
  throw new RegistryError('DENIED', { message: `${by} is no admin` })
}

/** A token of an admin that is limited to some images is none for the rest. */
export function isAdmin({ principal }: Login): boolean {
  return principal.admin && principal.limits === undefined
}
