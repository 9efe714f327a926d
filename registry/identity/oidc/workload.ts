import type { JWTPayload } from 'jose'
import type { OidcProvider, WorkloadRule } from '../../config.ts'
import { milliseconds } from '../../domain/duration.ts'
import { matchRule, type Miss } from './claim-rules.ts'
import type { IssueShortLived } from './connection.ts'
import type { Provider } from './provider.ts'
import { verifySubjectToken } from './subject-token.ts'

export type Exchange =
  | {
      readonly kind: 'granted'
      readonly rule: string
      readonly subject: string | undefined
      readonly user: string
      readonly scope: string
      readonly token: string
      readonly expiresInSeconds: number
    }
  /** For the log, not for whoever sent the token: it would tell how to be let in. */
  | { readonly kind: 'unmatched'; readonly subject: string | undefined; readonly misses: readonly Miss[] }

/** The jobs of one provider. */
export interface Workload {
  /**
   * By the first rule that matches, or only by the one called `rule`. The same token may come again: jobs are repeated.
   * Throws UNAUTHORIZED for a token that does not count, and UNAVAILABLE when the provider cannot be asked.
   */
  exchange(token: string, rule: string | undefined): Promise<Exchange>
}

export function openWorkload(
  provider: Provider,
  { audience, rules }: NonNullable<OidcProvider['workload']>,
  issueShortLived: IssueShortLived,
  now: () => number,
): Workload {
  return {
    async exchange(token, wanted) {
      const claims = await verifySubjectToken(token, provider, audience, new Date(now()))
      const subject = subjectOf(claims)
      const matched = matchRule(wanted === undefined ? rules : rules.filter(({ name }) => name === wanted), claims)
      if ('misses' in matched) return { kind: 'unmatched', subject, misses: matched.misses }

      const { rule } = matched
      const user = rule.user ?? `${provider.name}/${rule.name}`
      const issued = await issueShortLived({
        user,
        groups: rule.groups,
        scope: rule.scope,
        lifeSeconds: Math.floor(milliseconds(rule.life) / 1000),
        description: `${provider.name}, rule ${rule.name}: ${subject ?? 'no subject'}`,
      })
      return { kind: 'granted', rule: rule.name, subject, user, scope: scopeOf(rule), ...issued }
    },
  }
}

/** Of an honest provider at most 255 characters: OpenID Connect Core 1.0 §2. */
function subjectOf({ sub }: JWTPayload): string | undefined {
  return typeof sub === 'string' ? sub.slice(0, 255) : undefined
}

/** In Artifactory's words. */
function scopeOf({ scope, groups }: WorkloadRule): string {
  return scope ?? (groups ? `applied-permissions/groups:${groups.join(',')}` : 'applied-permissions/user')
}
