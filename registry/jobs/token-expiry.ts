import type { AccessTokens } from '../storage/access-store.ts'
import type { Job } from './schedule.ts'

/** Tokens that have ended are good for nothing already; this is for the room that they take. */
export function tokenExpiry(
  tokens: Pick<AccessTokens, 'removeExpiredTokens'>,
  now: () => Date = () => new Date(),
): Job {
  return {
    name: 'token expiry',
    everyMs: 3_600_000,
    run: async () => void (await tokens.removeExpiredTokens(now())),
  }
}
