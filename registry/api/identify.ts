import { RegistryError } from '../domain/errors.ts'
import type { Context } from '../http/context.ts'
import { callerOf } from '../http/identify.ts'
import type { Services } from '../http/services.ts'
import { challengeBasic } from '../http/v2/challenge.ts'
import type { Caller } from '../identity/authenticate.ts'

/** Who asks. Throws UNAUTHORIZED with a challenge for credentials that are wrong. */
export async function identify(ctx: Context, services: Services): Promise<Caller> {
  try {
    return await callerOf(ctx, services)
  } catch (cause) {
    if (!(cause instanceof RegistryError) || cause.code !== 'UNAUTHORIZED') throw cause
    return challenge(ctx, cause)
  }
}

/** Throws UNAUTHORIZED, with a challenge that browsers and curl understand. */
export function challenge(ctx: Context, error = new RegistryError('UNAUTHORIZED')): never {
  challengeBasic(ctx)
  throw error
}
