import { RegistryError } from '../domain/errors.ts'
import type { Context } from '../http/context.ts'
import { callerOf } from '../http/identify.ts'
import type { Services } from '../http/services.ts'
import { challengeBasic } from '../http/v2/challenge.ts'
import type { Caller } from '../identity/authenticate.ts'
import { sessionUser } from './session-user.ts'

/** Who asks. Throws UNAUTHORIZED with a challenge for credentials that are wrong. */
export async function identify(ctx: Context, services: Services): Promise<Caller> {
  try {
    return (await callerOfSession(ctx, services)) ?? (await callerOf(ctx, services))
  } catch (cause) {
    if (!(cause instanceof RegistryError) || cause.code !== 'UNAUTHORIZED') throw cause
    return challenge(ctx, cause)
  }
}

/**
 * Somebody who has logged in with a browser and shows nothing else; what they may do is looked up anew each time. Throws DENIED for a
 * request that another site's page makes the browser send.
 */
async function callerOfSession(ctx: Context, services: Services): Promise<Caller | undefined> {
  const { authorization, 'x-jfrog-art-api': apiKey } = ctx.req.headers
  if (authorization !== undefined || apiKey !== undefined) return undefined
  const { user } = (await sessionUser(ctx, services)) ?? {}
  return user && { by: 'login', principal: user.principal, owner: { user: user.record.name }, with: 'session' }
}

/** Throws UNAUTHORIZED, with a challenge that browsers and curl understand. */
export function challenge(ctx: Context, error = new RegistryError('UNAUTHORIZED')): never {
  challengeBasic(ctx)
  throw error
}
