import { cut } from './audit-lines.ts'
import type { AuditEntry, AuditEvent, AuditLog, AuditQuery } from './audit-log.ts'

/** Time that passes. */
export interface Passing {
  readonly nowMs: () => number
  /** Keeps no process alive. Returns what calls it off. */
  readonly after: (ms: number, work: () => void) => () => void
}

const passing: Passing = {
  nowMs: () => performance.now(),
  after: (ms, work) => {
    const timer = setTimeout(work, ms).unref()
    return () => clearTimeout(timer)
  },
}

const minuteMs = 60_000
const condensed = ['login.failed', 'login.limited'] as const
type Condensed = AuditEvent & { readonly type: (typeof condensed)[number] }

/** A minute may have so many entries. Of each kind one is kept for those who find no room of their own. */
const mostOfAddress = 60 - condensed.length
const mostOfAll = 600 - condensed.length

/** Logins that come to nothing and are recorded together. */
interface Crowd {
  readonly key: string
  readonly kind: 'name' | 'address' | 'everybody'
  readonly address: string | undefined
}

/** Of a crowd of which there has been an entry less than a minute ago. */
interface Minute {
  readonly crowd: Crowd
  readonly endsAtMs: number
  /** Those that no entry stands for yet, and the last of them. */
  times: number
  last: Condensed
}

/**
 * Anybody can fail to log in, as often as they like: that must neither fill the disk nor drive out what else was recorded. Of those of one
 * type, name (without one: reason) and address there is an entry at once and then one a minute, which is about the last and says how many
 * it stands for; of one address at most 60 a minute, and 600 in all. The rest have one in common, without a name then, or without an
 * address either. Those of the running minute are in no answer to a query. Takes ownership of `log`.
 */
export function condenseLogins(log: AuditLog, time: Passing = passing): AuditLog {
  return new CondensedLogins(log, time)
}

class CondensedLogins implements AuditLog {
  readonly #log: AuditLog
  readonly #time: Passing
  /** The one that ends first is the first: each of them is an entry of the last minute, so that their number limits that of entries. */
  readonly #minutes = new Map<string, Minute>()
  #callOff: (() => void) | undefined

  constructor(log: AuditLog, time: Passing) {
    this.#log = log
    this.#time = time
  }

  record(event: AuditEvent): void {
    if (!isCondensed(event)) return this.#log.record(event)
    this.#endMinutes()
    const crowd = this.#crowdOf(event)
    const minute = this.#minutes.get(crowd.key)
    if (minute) {
      minute.times += 1
      minute.last = event
    } else {
      this.#begin(crowd, event)
      this.#log.record(tellOf(crowd, event))
    }
    this.#wake()
  }

  query(query: AuditQuery): Promise<readonly AuditEntry[]> {
    return this.#log.query(query)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#callOff?.()
    for (const minute of this.#minutes.values()) this.#tell(minute)
    this.#minutes.clear()
    await this.#log[Symbol.asyncDispose]()
  }

  #begin(crowd: Crowd, last: Condensed): void {
    this.#minutes.set(crowd.key, { crowd, endsAtMs: this.#time.nowMs() + minuteMs, times: 0, last })
  }

  #endMinutes(): void {
    for (const [key, minute] of this.#minutes) {
      if (minute.endsAtMs > this.#time.nowMs()) break
      this.#minutes.delete(key)
      if (this.#tell(minute)) this.#begin(minute.crowd, minute.last)
    }
  }

  /** False when there is nothing to tell. */
  #tell({ crowd, times, last }: Minute): boolean {
    if (times === 0) return false
    this.#log.record({ ...tellOf(crowd, last), ...(times > 1 && { times }) })
    return true
  }

  #wake(): void {
    const [first] = this.#minutes.values()
    if (!first || this.#callOff) return
    this.#callOff = this.#time.after(Math.max(0, first.endsAtMs - this.#time.nowMs()), () => {
      this.#callOff = undefined
      this.#endMinutes()
      this.#wake()
    })
  }

  #crowdOf({ type, by, address, ...shown }: Condensed): Crowd {
    const who = by === undefined ? [undefined, cut(shown.with), cut(shown.reason)] : [cut(by)]
    const byName: Crowd = { key: keyOf(type, address, ...who), kind: 'name', address }
    if (this.#minutes.has(byName.key) || this.#hasRoomFor(byName)) return byName
    const byAddress: Crowd = { key: keyOf(type, address), kind: 'address', address }
    if (this.#minutes.has(byAddress.key) || this.#hasRoomFor(byAddress)) return byAddress
    return { key: keyOf(type), kind: 'everybody', address: undefined }
  }

  #hasRoomFor({ kind, address }: Crowd): boolean {
    let all = 0
    let names = 0
    for (const { crowd } of this.#minutes.values()) {
      if (crowd.kind !== 'everybody') all += 1
      if (crowd.kind === 'name' && crowd.address === address) names += 1
    }
    return all < mostOfAll && (kind === 'address' || names < mostOfAddress)
  }
}

/** Only what all of them have in common: else a name would be told here and in an entry of its own. */
function tellOf({ kind }: Crowd, event: Condensed): AuditEvent {
  switch (kind) {
    case 'name':
      return event
    case 'address':
      return { type: event.type, address: event.address }
    case 'everybody':
      return { type: event.type }
  }
}

function isCondensed(event: AuditEvent): event is Condensed {
  return (condensed as readonly string[]).includes(event.type)
}

/** What is not known is another key than what is not asked. */
function keyOf(...parts: readonly (string | undefined)[]): string {
  return JSON.stringify(parts.map((part) => part ?? null))
}
