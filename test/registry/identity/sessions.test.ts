import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cookieOf } from '../../../registry/identity/cookies.ts'
import { openSessions, sessionOf } from '../../../registry/identity/sessions.ts'

const start = Date.parse('2026-01-01T00:00:00Z')
const minuteMs = 60_000
const hourMs = 60 * minuteMs
const alice = { name: 'alice', email: undefined, groups: ['developers'], admin: false }
const origin = 'https://registry.test'

test('a session tells who has logged in and when it ends', async () => {
  const sessions = openSessions(() => start)
  const id = await sessions.begin('company', alice)
  assert.match(id, /^[\w-]{43}$/)
  assert.deepEqual(await sessions.find(id), {
    user: 'alice',
    provider: 'company',
    expiresAt: new Date(start + hourMs),
  })
  assert.notEqual(await sessions.begin('company', alice), id)
  for (const other of ['', 'x', `${id}x`, '__proto__']) assert.equal(await sessions.find(other), undefined)
})

test('a session that is not used for an hour has ended', async () => {
  let now = start
  const sessions = openSessions(() => now)
  const id = await sessions.begin('company', alice)
  now += hourMs - 1
  assert.ok(await sessions.find(id))
  now += hourMs - 1
  assert.ok(await sessions.find(id))
  now += hourMs
  assert.equal(await sessions.find(id), undefined)
})

test('a session has ended after eight hours however much it is used', async () => {
  let now = start
  const sessions = openSessions(() => now)
  const id = await sessions.begin('company', alice)
  for (; now < start + 8 * hourMs; now += 30 * minuteMs) {
    const session = await sessions.find(id)
    assert.ok(session)
    assert.equal(session.expiresAt.getTime(), Math.min(now + hourMs, start + 8 * hourMs))
  }
  assert.equal(await sessions.find(id), undefined)
})

test('a session that is ended while it is used stays ended', async () => {
  const sessions = openSessions(() => start)
  const id = await sessions.begin('company', alice)
  await Promise.all([sessions.find(id), sessions.end(id), sessions.find(id)])
  assert.equal(await sessions.find(id), undefined)
})

for (const [method, headers, accepted] of [
  ['GET', {}, true],
  ['HEAD', { 'sec-fetch-site': 'cross-site' }, true],
  ['POST', {}, false],
  ['DELETE', { origin }, true],
  ['DELETE', { 'sec-fetch-site': 'same-origin' }, true],
  ['DELETE', { 'sec-fetch-site': 'same-origin', origin }, true],
  ['DELETE', { 'sec-fetch-site': 'same-site' }, false],
  ['DELETE', { 'sec-fetch-site': 'cross-site' }, false],
  ['DELETE', { 'sec-fetch-site': 'none' }, false],
  ['DELETE', { 'sec-fetch-site': 'cross-site', origin }, false],
  ['DELETE', { origin: 'https://evil.test' }, false],
  ['DELETE', { origin: 'https://registry.test.evil.test' }, false],
  ['DELETE', { origin: 'http://registry.test' }, false],
  ['DELETE', { origin: 'null' }, false],
  ['DELETE', { referer: `${origin}/console` }, false],
  ['PROPFIND', {}, false],
  ['get', {}, false],
] as const)
  test(`a session is ${accepted ? 'good' : 'not good'} for ${method} with ${JSON.stringify(headers)}`, async () => {
    const sessions = openSessions(() => start)
    const cookie = `caisson-session=${await sessions.begin('company', alice)}`
    const asked = sessionOf(sessions, { method, headers: { ...headers, cookie } }, origin)
    if (accepted) assert.equal((await asked)?.user, 'alice')
    else await assert.rejects(asked, { code: 'DENIED' })
    assert.equal(await sessionOf(sessions, { method, headers }, origin), undefined)
    assert.equal(
      await sessionOf(sessions, { method, headers: { ...headers, cookie: `${cookie}x` } }, origin),
      undefined,
    )
  })

for (const [header, value] of [
  [undefined, undefined],
  ['', undefined],
  ['a=1', '1'],
  ['b=2; a=1; a=3', '1'],
  ['xa=1', undefined],
  ['a', undefined],
  ['a=', ''],
  ['b=a=1;a==x=', '=x='],
] as const)
  test(`the cookie "a" in ${header} is ${value}`, () => {
    assert.equal(cookieOf(header, 'a'), value)
  })
