import { RegistryError } from '../domain/errors.ts'
import type { Context } from '../http/context.ts'
import type { Services } from '../http/services.ts'
import { challenge, identify } from './identify.ts'

/** Throws UNAUTHORIZED with a challenge, or DENIED. A token is good for images alone. */
export async function requireAdmin(ctx: Context, services: Services): Promise<void> {
  const caller = await identify(ctx, services)
  if (caller.by !== 'password') return challenge(ctx)
  if (!caller.user.admin) throw new RegistryError('DENIED', { message: `${caller.user.name} is no admin` })
}
