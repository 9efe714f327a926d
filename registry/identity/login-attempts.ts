import { hash } from 'node:crypto'
import { setTimeout as after } from 'node:timers/promises'
import { RegistryError } from '../domain/errors.ts'
import { atMost } from './at-most.ts'
import { memoryCache } from '../storage/memory-cache.ts'

/**
 * Slows down and limits wrong passwords. What counts is wrong ones alone, and somebody's right password is never stopped by another
 * one's wrong ones: a pair of address and user that has logged in before is free of what others of either do.
 */
export interface LoginAttempts {
  /**
   * What `check` finds, undefined for a wrong password; resolves when the answer may be given. Throws TOOMANYREQUESTS with how long to
   * wait. `address`: undefined when it is not known.
   */
  attempt<found>(
    name: string,
    address: string | undefined,
    check: () => Promise<found | undefined>,
  ): Promise<found | undefined>
}

interface Failures {
  readonly count: number
  readonly sinceMs: number
  /** No further attempt before. */
  readonly untilMs: number
}

/** Of one kind of key: so many failures are free, then each one closes for twice as long as the one before. */
interface Limit {
  readonly free: number
  readonly firstMs: number
  readonly longestMs: number
  /** Failures are forgotten so long after the first of them, when it is not closed then. */
  readonly forgetMs: number
}

const minute = 60_000
const limits = {
  /** One client with a wrong password in its configuration, mostly. */
  pair: { free: 5, firstMs: 1000, longestMs: 5 * minute, forgetMs: 15 * minute },
  /** Somebody who tries many names. */
  address: { free: 50, firstMs: 1000, longestMs: 5 * minute, forgetMs: 15 * minute },
  /** Many who try one name. */
  user: { free: 50, firstMs: 1000, longestMs: 5 * minute, forgetMs: 15 * minute },
} satisfies Readonly<Record<string, Limit>>

const trustedMs = 24 * 60 * minute
const maxKeys = 20_000
/** How long a wrong password is answered later, from the third on. */
const slowMs = [0, 0, 0, 200, 400, 800]

interface Clock {
  readonly nowMs: () => number
  readonly wait: (ms: number) => Promise<unknown>
}

export function openLoginAttempts({ nowMs, wait }: Clock = { nowMs: Date.now, wait: after }): LoginAttempts {
  const failures = memoryCache<Failures>(maxKeys)
  const trusted = memoryCache<true>(maxKeys)
  const oneAtATime = atMost(1)

  const refuseClosed = async (key: string): Promise<void> => {
    const waitMs = ((await failures.get(key))?.untilMs ?? 0) - nowMs()
    if (waitMs <= 0) return
    const retryAfterSeconds = Math.ceil(waitMs / 1000)
    throw new RegistryError('TOOMANYREQUESTS', {
      message: `too many wrong passwords: try again in ${retryAfterSeconds} s`,
      retryAfterSeconds,
    })
  }
  const count = async (key: string, limit: Limit): Promise<number> => {
    const before = await failures.get(key)
    const fresh = !before || nowMs() > Math.max(before.sinceMs + limit.forgetMs, before.untilMs)
    const { count, sinceMs } = fresh
      ? { count: 1, sinceMs: nowMs() }
      : { count: before.count + 1, sinceMs: before.sinceMs }
    const closedMs = count < limit.free ? 0 : Math.min(limit.firstMs * 2 ** (count - limit.free), limit.longestMs)
    await failures.set(key, { count, sinceMs, untilMs: nowMs() + closedMs }, limit.forgetMs + limit.longestMs)
    return count
  }

  /** How many more may be wrong before it closes; one may always be tried when it is open. */
  const roomFor = async ({ key, limit }: Counted): Promise<number> =>
    Math.max(1, limit.free - ((await failures.get(key))?.count ?? 0))
  const running = new Running()

  /** What is being checked now may turn out wrong: who sends many at once must not have them all checked before the first is counted. */
  const begin = async (name: string, address: string | undefined): Promise<readonly string[]> => {
    const { pair, others } = countedFor(name, address)
    for (;;) {
      await refuseClosed(pair.key)
      const isTrusted = (await trusted.get(pair.key)) === true
      const counted = isTrusted ? [pair] : [pair, ...others]
      for (const { key } of counted) await refuseClosed(key)
      const rooms = await Promise.all(counted.map(roomFor))
      const full = counted.find(({ key }, index) => running.count(key) >= (rooms[index] ?? 1))
      if (!full) return running.begin(counted.map(({ key }) => key))
      await running.nextEnd(full.key)
    }
  }
  const failed = async (name: string, address: string | undefined): Promise<number> => {
    const { pair, others } = countedFor(name, address)
    for (const { key, limit } of others) await count(key, limit)
    return count(pair.key, pair.limit)
  }
  const succeeded = async (name: string, address: string | undefined): Promise<void> => {
    const { pair } = countedFor(name, address)
    await failures.delete(pair.key)
    await trusted.set(pair.key, true, trustedMs)
  }

  return {
    async attempt(name, address, check) {
      const begun = await begin(name, address)
      let times = 0
      try {
        const found = await check()
        if (found !== undefined) {
          await succeeded(name, address)
          return found
        }
        times = await oneAtATime(() => failed(name, address))
      } finally {
        running.end(begun)
      }
      const ms = slowMs[Math.min(times, slowMs.length - 1)] ?? 0
      if (ms > 0) await wait(ms)
      return undefined
    },
  }
}

/** What is being checked, by what it counts for. */
class Running {
  readonly #counts = new Map<string, number>()
  readonly #waiting = new Map<string, (() => void)[]>()

  count(key: string): number {
    return this.#counts.get(key) ?? 0
  }

  begin(keys: readonly string[]): readonly string[] {
    for (const key of keys) this.#counts.set(key, this.count(key) + 1)
    return keys
  }

  end(keys: readonly string[]): void {
    for (const key of keys) {
      if (this.count(key) > 1) this.#counts.set(key, this.count(key) - 1)
      else this.#counts.delete(key)
      const waiting = this.#waiting.get(key) ?? []
      this.#waiting.delete(key)
      for (const go of waiting) go()
    }
  }

  async nextEnd(key: string): Promise<void> {
    const waiting = this.#waiting.get(key) ?? []
    this.#waiting.set(key, waiting)
    await new Promise<void>((go) => waiting.push(go))
  }
}

/** Something that wrong passwords count for. */
interface Counted {
  readonly key: string
  readonly limit: Limit
}

/** Longer than any name here: kept by a hash, for anybody can send one. */
const longName = 64

function countedFor(
  name: string,
  address: string | undefined,
): { readonly pair: Counted; readonly others: readonly Counted[] } {
  // LDAP knows no upper case: other spellings are no other user.
  const folded = name.trim().toLowerCase()
  const who = folded.length > longName ? hash('sha256', folded) : folded
  const from = address === undefined ? undefined : networkOf(address)
  const byAddress = from === undefined ? [] : [{ key: `address ${from}`, limit: limits.address }]
  return {
    pair: { key: `pair ${from ?? ''} ${who}`, limit: limits.pair },
    others: [{ key: `user ${who}`, limit: limits.user }, ...byAddress],
  }
}

/** Of an IPv6 address the /64, which is what one customer has at least. */
function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':')
  const rest = tail === undefined || tail === '' ? [] : tail.split(':')
  const missing = tail === undefined ? 0 : Math.max(0, 8 - groups.length - rest.length)
  return [...groups, ...Array<string>(missing).fill('0'), ...rest]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')
}
