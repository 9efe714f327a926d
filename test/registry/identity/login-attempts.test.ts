import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RegistryError } from '../../../registry/domain/errors.ts'
import { openLoginAttempts } from '../../../registry/identity/login-attempts.ts'

const start = Date.parse('2026-01-01T00:00:00Z')
const minute = 60_000
const nat = '203.0.113.1'
/** Of a request that nobody knows the address of. */
const nowhere = 'nowhere'

/** Attempts at a time that the test says. Waiting takes none. */
function attemptsAt() {
  const clock = { nowMs: start, waitedMs: [] as number[] }
  const attempts = openLoginAttempts({
    nowMs: () => clock.nowMs,
    wait: async (ms) => void clock.waitedMs.push(ms),
  })
  /** `checked`: how often somebody looked at a password. */
  const state = Object.assign(clock, { checked: 0, attempts })
  const attempt = async (name: string, from: string, right: boolean): Promise<string> => {
    const address = from === nowhere ? undefined : from
    try {
      const found = await attempts.attempt(name, address, async () => {
        state.checked += 1
        return right ? name : undefined
      })
      return found === undefined ? 'wrong' : 'right'
    } catch (error) {
      assert.ok(error instanceof RegistryError && error.code === 'TOOMANYREQUESTS')
      return `wait ${error.retryAfterSeconds}`
    }
  }
  return Object.assign(state, {
    wrong: (name: string, from = nat) => attempt(name, from, false),
    right: (name: string, from = nat) => attempt(name, from, true),
  })
}

async function times<result>(count: number, of: (index: number) => Promise<result>): Promise<readonly result[]> {
  const all: result[] = []
  for (let index = 0; index < count; index += 1) all.push(await of(index))
  return all
}

test('five wrong passwords are free, then each closes for twice as long, up to five minutes', async () => {
  const at = attemptsAt()
  assert.deepEqual(await times(5, () => at.wrong('bob')), Array(5).fill('wrong'))
  for (const seconds of [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]) {
    assert.equal(await at.wrong('bob'), `wait ${seconds}`)
    assert.equal(await at.right('bob'), `wait ${seconds}`)
    at.nowMs += seconds * 1000 - 1
    assert.equal(await at.wrong('bob'), 'wait 1')
    at.nowMs += 1
    assert.equal(await at.wrong('bob'), 'wrong')
  }
  assert.equal(at.checked, 15)
})

test('what is refused is not looked at and does not count', async () => {
  const at = attemptsAt()
  await times(5, () => at.wrong('bob'))
  await times(100, () => at.wrong('bob'))
  assert.equal(at.checked, 5)
  at.nowMs += 1000
  assert.equal(await at.right('bob'), 'right')
})

test('a right password makes the pair as new', async () => {
  const at = attemptsAt()
  await times(4, () => at.wrong('bob'))
  assert.equal(await at.right('bob'), 'right')
  assert.deepEqual(await times(5, () => at.wrong('bob')), Array(5).fill('wrong'))
  assert.equal(await at.wrong('bob'), 'wait 1')
})

test('a quarter of an hour after the first one wrong passwords are forgotten', async () => {
  const at = attemptsAt()
  await times(4, () => at.wrong('bob'))
  at.nowMs += 15 * minute + 1
  assert.deepEqual(await times(5, () => at.wrong('bob')), Array(5).fill('wrong'))
})

test('the answer to a wrong password comes later from the third on', async () => {
  const at = attemptsAt()
  await times(5, () => at.wrong('bob'))
  assert.deepEqual(at.waitedMs, [200, 400, 800])
})

test('of one address fifty wrong passwords are free, whatever the names', async () => {
  const at = attemptsAt()
  assert.deepEqual(await times(50, (index) => at.wrong(`user${index}`)), Array(50).fill('wrong'))
  assert.equal(await at.wrong('another'), 'wait 1')
  assert.equal(await at.right('another'), 'wait 1')
  assert.equal(await at.right('another', '203.0.113.2'), 'right')
})

test('of one name fifty wrong passwords are free, whatever the addresses', async () => {
  const at = attemptsAt()
  assert.deepEqual(await times(50, (index) => at.wrong('bob', `198.51.100.${index}`)), Array(50).fill('wrong'))
  assert.equal(await at.wrong('bob', '203.0.113.9'), 'wait 1')
  assert.equal(await at.right('alice', '203.0.113.9'), 'right')
})

test('a name that does not exist is counted as one that does', async () => {
  const at = attemptsAt()
  const answers = async (name: string) => times(8, () => at.wrong(name))
  assert.deepEqual(await answers('nobody'), await answers('bob'))
})

test('who has logged in from an address goes on, whatever others do there or with the name', async () => {
  const at = attemptsAt()
  assert.equal(await at.right('bob'), 'right')
  await times(60, (index) => at.wrong(`user${index}`))
  await times(60, (index) => at.wrong('bob', `198.51.100.${index}`))
  assert.deepEqual(await times(3, () => at.right('bob')), Array(3).fill('right'))
  assert.notEqual(await at.right('bob', '192.0.2.1'), 'right')
  assert.notEqual(await at.right('alice'), 'right')
})

test('the trust ends for whoever then sends wrong passwords', async () => {
  const at = attemptsAt()
  assert.equal(await at.right('bob'), 'right')
  await times(5, () => at.wrong('bob'))
  assert.equal(await at.right('bob'), 'wait 1')
})

test('behind one address any number log in with right passwords, one after the other and all at once', async () => {
  const at = attemptsAt()
  assert.deepEqual(await times(200, (index) => at.right(`user${index}`)), Array(200).fill('right'))
  const fresh = attemptsAt()
  const asked = Array.from({ length: 1000 }, (_, index) => fresh.right(`user${index % 200}`))
  assert.deepEqual(await Promise.all(asked), Array(1000).fill('right'))
})

for (const [what, names, addresses, checked] of [
  ['a pair', 1, 1, 5],
  ['an address', 500, 1, 50],
  ['a name', 1, 500, 50],
] as const)
  test(`of ${what} no more are looked at when all are sent at once`, async () => {
    const at = attemptsAt()
    const asked = Array.from({ length: 500 }, (_, index) =>
      at.wrong(`user${index % names}`, `192.0.2.${index % addresses}`),
    )
    const answers = await Promise.all(asked)
    assert.equal(at.checked, checked)
    assert.equal(answers.filter((answer) => answer === 'wrong').length, checked)
  })

test('a check that fails ends no attempt for others, and is no wrong password', async () => {
  const at = attemptsAt()
  const unavailable = async () => {
    throw new RegistryError('UNAVAILABLE')
  }
  for (const _ of Array(20)) await assert.rejects(at.attempts.attempt('bob', nat, unavailable), { code: 'UNAVAILABLE' })
  assert.equal(await at.right('bob'), 'right')
})

for (const [one, other, same] of [
  ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', true],
  ['2001:db8:1:2::1', '2001:0DB8:0001:0002:0:0:0:9', true],
  ['2001:db8::1', '2001:db8:0:0:5::', true],
  ['::1', '::2', true],
  ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
  ['2001:db8:1::1', '2001:db8:2::1', false],
  ['2001:db8::', '2001:db9::', false],
  ['203.0.113.1', '203.0.113.2', false],
] as const)
  test(`${one} and ${other} are ${same ? 'one network' : 'two'}`, async () => {
    const at = attemptsAt()
    await times(50, (index) => at.wrong(`user${index}`, one))
    assert.equal(await at.right('bob', other), same ? 'wait 1' : 'right')
  })

test('without an address names count alone', async () => {
  const at = attemptsAt()
  assert.deepEqual(await times(60, (index) => at.wrong(`user${index}`, nowhere)), Array(60).fill('wrong'))
  await times(5, () => at.wrong('bob', nowhere))
  assert.equal(await at.right('bob', nowhere), 'wait 1')
  assert.equal(await at.right('bob', nat), 'right')
})

test('a name that holds an address or is very long is one of its own', async () => {
  const at = attemptsAt()
  const long = 'n'.repeat(20_000)
  for (const name of [`${nat} bob`, ` ${nat} bob`, long]) {
    await times(5, () => at.wrong(name, nowhere))
    assert.equal(await at.right(name, nowhere), 'wait 1')
  }
  for (const name of ['bob', `${long}x`]) assert.equal(await at.right(name), 'right')
})

test('other spellings of a name are no other user: a directory knows no upper case', async () => {
  const { wrong } = attemptsAt()
  for (const name of ['alice', 'Alice', ' ALICE', 'aLice ']) assert.equal(await wrong(name), 'wrong')
  assert.equal(await wrong('alicE'), 'wrong')
  assert.equal(await wrong('ALICE'), 'wait 1')
})
