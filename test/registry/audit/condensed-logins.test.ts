import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { AuditEvent, AuditLog } from '../../../registry/audit/audit-log.ts'
import { condenseLogins } from '../../../registry/audit/condensed-logins.ts'

const minuteMs = 60_000

/** Keeps what it is given, with the time of a clock that is moved by hand. */
class Recorded {
  readonly entries: (AuditEvent & { readonly atMs: number })[] = []
  readonly log: AuditLog
  #nowMs = 0
  #timers: { readonly atMs: number; readonly work: () => void }[] = []

  constructor() {
    const kept: AuditLog = {
      record: (event) => void this.entries.push({ ...event, atMs: this.#nowMs }),
      query: async () => [],
      async [Symbol.asyncDispose]() {},
    }
    this.log = condenseLogins(kept, {
      nowMs: () => this.#nowMs,
      after: (ms, work) => {
        const timer = { atMs: this.#nowMs + ms, work }
        this.#timers.push(timer)
        return () => (this.#timers = this.#timers.filter((other) => other !== timer))
      },
    })
  }

  pass(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (;;) {
      const next = this.#timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (!next) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.#nowMs = next.atMs
      next.work()
    }
    this.#nowMs = untilMs
  }

  get waiting(): number {
    return this.#timers.length
  }

  told(): readonly unknown[] {
    return this.entries.map(({ atMs, by, address, times }) => [atMs, by, address, times])
  }
}

const failed = (by: string | undefined, address = '203.0.113.9'): AuditEvent => ({ type: 'login.failed', by, address })

test('the first is recorded at once, what follows once a minute with how often it was, and what stops is forgotten', () => {
  const recorded = new Recorded()
  for (let second = 0; second < 90; second++) {
    recorded.log.record(failed('alice'))
    recorded.pass(1000)
  }
  const [from, hour] = ['203.0.113.9', 60 * minuteMs]
  recorded.pass(hour)
  recorded.log.record(failed('alice'))
  assert.deepEqual(recorded.told(), [
    [0, 'alice', from, undefined],
    [60_000, 'alice', from, 59],
    [120_000, 'alice', from, 30],
    [90_000 + hour, 'alice', from, undefined],
  ])
})

test('an entry for many is about the last of them', () => {
  const recorded = new Recorded()
  for (const requestId of ['one', 'two', 'three']) recorded.log.record({ ...failed('alice'), requestId })
  recorded.pass(minuteMs)
  assert.deepEqual(
    recorded.entries.map(({ requestId, times }) => [requestId, times]),
    [
      ['one', undefined],
      ['three', 2],
    ],
  )
})

test('another name, address or type has entries of its own, and everything else is recorded as it comes', () => {
  const recorded = new Recorded()
  const events: AuditEvent[] = [
    failed('alice'),
    failed('bob'),
    failed(undefined),
    { ...failed(undefined), with: 'oidc:company', reason: 'one' },
    { ...failed(undefined), with: 'oidc:company', reason: 'another' },
    { ...failed(undefined), with: 'oidc:github', reason: 'one' },
    failed('alice', '203.0.113.10'),
    { type: 'login.failed', by: 'alice' },
    { ...failed('alice'), type: 'login.limited' },
    { ...failed('alice'), type: 'login' },
    { ...failed('alice'), type: 'login' },
    { ...failed('alice'), type: 'refused' },
    { ...failed('alice'), type: 'refused' },
  ]
  for (const event of events) recorded.log.record(event)
  assert.deepEqual(
    recorded.entries,
    events.map((event) => ({ ...event, atMs: 0 })),
  )
})

test('many names from one address have 60 entries a minute, the last of which counts without a name', () => {
  const recorded = new Recorded()
  for (let index = 0; index < 1000; index++) recorded.log.record(failed(`user${index}`))
  assert.equal(recorded.entries.length, 59)
  recorded.log.record(failed('bob', '203.0.113.10'))
  recorded.pass(minuteMs)
  assert.deepEqual(recorded.told().slice(59), [
    [0, 'bob', '203.0.113.10', undefined],
    [minuteMs, undefined, '203.0.113.9', 941],
  ])
})

test('many addresses have 600 entries a minute, the last of which counts without an address', () => {
  const recorded = new Recorded()
  for (let index = 0; index < 10_000; index++) recorded.log.record(failed('alice', `10.0.${index >> 8}.${index & 255}`))
  assert.equal(recorded.entries.length, 599)
  recorded.pass(minuteMs)
  assert.deepEqual(recorded.told().slice(599), [[minuteMs, undefined, undefined, 9401]])
})

test('at the end what was counted is recorded, and nothing is left to wait for', async () => {
  const recorded = new Recorded()
  for (let index = 0; index < 5; index++) recorded.log.record(failed('alice'))
  await recorded.log[Symbol.asyncDispose]()
  assert.deepEqual(recorded.told().at(-1), [0, 'alice', '203.0.113.9', 4])
  assert.equal(recorded.waiting, 0)
})

test('whoever fails how often, all are counted and the entries of any minute are limited', async () => {
  const types = fc.constantFrom('login.failed' as const, 'login.limited' as const)
  const burst = fc.record({
    type: types,
    names: fc.integer({ min: 1, max: 200 }),
    addresses: fc.integer({ min: 1, max: 200 }),
    apartMs: fc.constantFrom(0, 0, 1, 100, 61_000),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(burst, { maxLength: 12 }), async (bursts) => {
      const recorded = new Recorded()
      let failures = 0
      for (const { type, names, addresses, apartMs } of bursts)
        for (let index = 0; index < 300; index++) {
          recorded.log.record({ ...failed(`user${index % names}`, `address${index % addresses}`), type })
          recorded.pass(index % 100 === 0 ? apartMs : Math.min(apartMs, 100))
          failures += 1
        }
      const atTheEnd = recorded.entries.length
      await recorded.log[Symbol.asyncDispose]()
      assert.equal(
        recorded.entries.reduce((sum, { times = 1 }) => sum + times, 0),
        failures,
      )
      const entries = recorded.entries.slice(0, atTheEnd)
      assertAtMost(600, [entries])
      assertAtMost(
        60,
        groupsOf(
          entries.filter(({ address }) => address !== undefined),
          ({ address }) => `${address}`,
        ),
      )
      assertAtMost(
        1,
        groupsOf(
          entries.filter(({ by }) => by !== undefined),
          (entry) => [entry.type, entry.by, entry.address].join(),
        ),
      )
    }),
    { numRuns: 60 },
  )
})

function groupsOf<entry>(entries: readonly entry[], key: (entry: entry) => string): readonly (readonly entry[])[] {
  return [...Map.groupBy(entries, key).values()]
}

/** Of each group, in any minute. */
function assertAtMost(most: number, groups: readonly (readonly { readonly atMs: number }[])[]): void {
  for (const group of groups)
    for (const [index, { atMs }] of group.entries()) {
      const next = group[index + most]
      assert.ok(!next || next.atMs - atMs >= minuteMs, `${most + 1} within ${next && next.atMs - atMs} ms`)
    }
}
