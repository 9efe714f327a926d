import { challengeHeader } from '../../../wire/challenge.ts'
import { admitsAnonymous } from '../../domain/access-rules.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { Action } from '../../domain/permissions.ts'
import type { Context } from '../context.ts'
import type { Services } from '../services.ts'
import { publicView, type Request } from './call.ts'

/** Docker's words for what a client needs to ask a token for. */
const wordsOf: Readonly<Record<Action, string>> = {
  read: 'pull',
  annotate: 'pull',
  deploy: 'pull,push',
  delete: 'delete',
  manage: '*',
}

export function imageScope(name: string, action: Action): string {
  return `repository:${name}:${wordsOf[action]}`
}

export const catalogScope = 'registry:catalog:*'

export interface Challenge {
  /** What a token is to be asked for. */
  readonly scope?: string | undefined
  /** A token was shown that is good for less. */
  readonly insufficient?: boolean
  /** Why the credentials that were shown are of no use. */
  readonly cause?: unknown
}

/** Asks for a login, in the way that this host or the whole product does. Throws UNAUTHORIZED, or what `cause` is. */
export function challenge(
  ctx: Context,
  request: Request,
  { scope, insufficient = false, cause }: Challenge = {},
): never {
  switch (challengeKind(ctx, request.services)) {
    case 'token':
      ctx.set('WWW-Authenticate', bearer(ctx, request, scope, insufficient))
      break
    case 'basic':
      challengeBasic(ctx)
      break
  }
  throw cause ?? new RegistryError('UNAUTHORIZED')
}

/** RFC 7617 §2, as browsers and curl understand it. */
export function challengeBasic(ctx: Context): void {
  ctx.set('WWW-Authenticate', 'Basic realm="Caisson"')
}

/** RFC 6750 §3, and distribution's "Token Authentication Specification". */
function bearer(ctx: Context, request: Request, scope: string | undefined, insufficient: boolean): string {
  const { origin, base, host } = publicView(ctx, request)
  const parameters = [`realm="${origin}${base}/token"`, `service="${host}"`]
  if (scope !== undefined) parameters.push(`scope="${scope}"`)
  if (insufficient) parameters.push('error="insufficient_scope"')
  return `Bearer ${parameters.join(',')}`
}

/**
 * Whether somebody without credentials is asked for some when it comes to nothing else than that. With tokens always: that is how a
 * client learns where to get one, an anonymous one too. With passwords as Artifactory's `forceAuthentication` says: not where
 * anonymous access is tried first. `key`: undefined for all repositories together.
 */
export function asksAnonymous(ctx: Context, { config, ...services }: Services, key: string | undefined): boolean {
  if (challengeKind(ctx, { config, ...services }) === 'token') return true
  if (key !== undefined) return !admitsAnonymous(config, key)
  const { anonymousAccess, forceAuthentication } = config
  return (
    !anonymousAccess ||
    (typeof forceAuthentication === 'boolean' ? forceAuthentication : forceAuthentication.length > 0)
  )
}

function challengeKind(ctx: Context, { config }: Pick<Services, 'config'>): 'token' | 'basic' {
  const wanted = ctx.state.trust === 'none' ? undefined : ctx.req.headers[challengeHeader]
  return wanted === 'token' || wanted === 'basic' ? wanted : config.challenge
}
