import type { AccessTokens } from '../storage/access-store.ts'
import type { Job } from './schedule.ts'

const everyMs = 60 * 60_000

/** They are good for nothing since they have expired; this is only so that they do not pile up. */
export function removeExpiredTokens(tokens: AccessTokens, now: () => Date = () => new Date()): Job {
  return {
    name: 'removal of expired tokens',
    everyMs,
    run: async () => {
      await tokens.removeExpiredTokens(now())
    },
  }
}
