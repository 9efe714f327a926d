import { hash, randomBytes } from 'node:crypto'
import type { Directory } from './directory.ts'

/** What was shown, and for how long at most it comes to the same. */
export interface Recent<caller> {
  readonly caller: caller
  readonly untilMs: number
}

/**
 * Whom credentials belong to, for a minute and as long as nothing about users, groups or tokens changes: a push sends the same ones some
 * hundred times. They are kept as hashes under a key of this process.
 */
export interface RecentCallers<caller> {
  find(credentials: string, recognise: () => Promise<Recent<caller>>): Promise<caller>
}

const longestMs = 60_000
const maxRemembered = 10_000

export function openRecentCallers<caller>(directory: Directory, nowMs: () => number): RecentCallers<caller> {
  const byGeneration = new WeakMap<object, Map<string, Recent<caller>>>()
  const key = randomBytes(32).toString('base64')

  return {
    async find(credentials, recognise) {
      const generation = await directory.generation()
      let recent = byGeneration.get(generation)
      if (!recent) byGeneration.set(generation, (recent = new Map()))
      const digest = hash('sha256', key + credentials, 'base64')
      const known = recent.get(digest)
      if (known && known.untilMs > nowMs()) return known.caller

      const found = await recognise()
      if (recent.size >= maxRemembered) recent.clear()
      // What has changed meanwhile has a generation of its own.
      recent.set(digest, { ...found, untilMs: Math.min(found.untilMs, nowMs() + longestMs) })
      return found.caller
    },
  }
}
