import { RegistryError } from '../../domain/errors.ts'
import type { Action } from '../../domain/permissions.ts'
import type { Context } from '../context.ts'
import type { PublicV2 } from '../public-url.ts'

/** Docker's words for what a client needs to ask a token for. */
const wordsOf: Readonly<Record<Action, string>> = { read: 'pull', deploy: 'pull,push', delete: 'delete' }

export function imageScope(name: string, action: Action): string {
  return `repository:${name}:${wordsOf[action]}`
}

export const catalogScope = 'registry:catalog:*'

/** RFC 6750 §3, and distribution's "Token Authentication Specification". Throws UNAUTHORIZED or what `cause` is. */
export function challenge(
  ctx: Context,
  { origin, base, host }: PublicV2,
  { scope, insufficient = false, cause }: { scope?: string | undefined; insufficient?: boolean; cause?: unknown } = {},
): never {
  const parameters = [`realm="${origin}${base}/token"`, `service="${host}"`]
  if (scope !== undefined) parameters.push(`scope="${scope}"`)
  if (insufficient) parameters.push('error="insufficient_scope"')
  ctx.set('WWW-Authenticate', `Bearer ${parameters.join(',')}`)
  throw cause ?? new RegistryError('UNAUTHORIZED')
}
