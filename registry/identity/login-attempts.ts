import { setTimeout as after } from 'node:timers/promises'
import { RegistryError } from '../domain/errors.ts'
import { memoryCache } from './memory-cache.ts'

/**
 * Slows down and limits wrong passwords. What counts is wrong ones alone, and somebody's right password is never stopped by another
 * one's wrong ones: a pair of address and user that has logged in before is free of what others of either do.
 */
export interface LoginAttempts {
  /** Throws TOOMANYREQUESTS with how long to wait. `address`: undefined when it is not known. */
  admit(name: string, address: string | undefined): Promise<void>
  /** Resolves when the answer may be given. */
  failed(name: string, address: string | undefined): Promise<void>
  succeeded(name: string, address: string | undefined): Promise<void>
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

  return {
    async admit(name, address) {
      const keys = keysOf(name, address)
      await refuseClosed(keys.pair)
      if (await trusted.get(keys.pair)) return
      await refuseClosed(keys.user)
      if (keys.address !== undefined) await refuseClosed(keys.address)
    },
    async failed(name, address) {
      const keys = keysOf(name, address)
      const times = await count(keys.pair, limits.pair)
      await count(keys.user, limits.user)
      if (keys.address !== undefined) await count(keys.address, limits.address)
      const ms = slowMs[Math.min(times, slowMs.length - 1)] ?? 0
      if (ms > 0) await wait(ms)
    },
    async succeeded(name, address) {
      const { pair } = keysOf(name, address)
      await failures.delete(pair)
      await trusted.set(pair, true, trustedMs)
    },
  }
}

function keysOf(name: string, address: string | undefined) {
  const from = address === undefined ? undefined : networkOf(address)
  return {
    pair: `pair ${from ?? ''} ${name}`,
    user: `user ${name}`,
    address: from === undefined ? undefined : `address ${from}`,
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
