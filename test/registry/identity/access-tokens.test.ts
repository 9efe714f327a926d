import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { after, beforeEach, test } from 'node:test'
import { looksLikeAccessToken, openAccessTokens, type TokenWish } from '../../../registry/identity/access-tokens.ts'
import type { UserSource } from '../../../registry/identity/user-source.ts'
import type { MetadataStore } from '../../../registry/storage/metadata-store.ts'
import { openSqliteMetadata } from '../../../registry/storage/sqlite-metadata.ts'
import { identityOn } from '../../helpers/identity.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { userNamed } from '../../helpers/users.ts'

const minute = 60_000
const directory = await temporaryDirectory()
after(() => directory[Symbol.asyncDispose]())
const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())
let stores = 0
let store: MetadataStore
let nowMs = 0

beforeEach(async () => {
  nowMs = Date.parse('2026-01-01T00:00:00Z')
  store = opened.use(await openSqliteMetadata(`${directory.path}/${(stores += 1)}.db`))
  await store.addUser(userNamed('alice'), ['devs'])
})

/** As it is in another process. */
const openService = (sources: readonly UserSource[] = []) =>
  openAccessTokens(store, identityOn(store, {}, sources, () => nowMs).directory, () => new Date(nowMs))

const wish = (rest: Partial<TokenWish> = {}): TokenWish => ({
  user: 'alice',
  kind: 'access',
  description: 'test',
  lifeSeconds: undefined,
  ...rest,
})

/** The request that looks at it is another one than that which made the change. */
const nextRequest = () => new Promise((resolve) => setImmediate(resolve))

test('a token shows its user, here and in another process, and its secret is not kept', async () => {
  const tokens = await openService()
  const { token, record } = await tokens.make(wish())
  assert.match(token, /^csn_[a-z0-9]{16}_[\w-]{43}$/)
  assert.ok(looksLikeAccessToken(token))
  const secret = token.slice(-43)
  assert.equal(record.secretHash, hash('sha256', secret, 'hex'))
  assert.ok(!JSON.stringify(await store.listTokens(undefined)).includes(secret))
  for (const each of [tokens, await openService()]) {
    const shown = await each.check(token)
    assert.deepEqual(shown?.principal, { kind: 'user', name: 'alice', admin: false, groups: ['devs'] })
    assert.equal((await each.checkAgain(record.id))?.principal.name, 'alice')
  }
})

test('no two tokens are alike, and none opens with the secret of another', async () => {
  const tokens = await openService()
  const made = await Promise.all(Array.from({ length: 50 }, async () => (await tokens.make(wish())).token))
  assert.equal(new Set(made).size, 50)
  const [one = '', other = ''] = made
  const mixed = `${one.slice(0, -43)}${other.slice(-43)}`
  for (const wrong of [mixed, `${one}x`, one.slice(0, -1), '', 'csn_', one.toUpperCase(), ` ${one}`, `${one}\n`])
    assert.equal(await tokens.check(wrong), undefined, wrong)
})

test('a token is good until it ends, to the millisecond', async () => {
  const tokens = await openService()
  const { token, record } = await tokens.make(wish({ lifeSeconds: 60 }))
  nowMs += minute - 1
  assert.ok(await tokens.check(token))
  nowMs += 1
  assert.equal(await tokens.check(token), undefined)
  assert.equal(await tokens.checkAgain(record.id), undefined)
})

test('a token that another process has revoked is worth nothing at the next request', async () => {
  const tokens = await openService()
  const { token, record } = await tokens.make(wish())
  assert.ok(await tokens.check(token))
  await store.removeToken(record.id)
  await nextRequest()
  assert.equal(await tokens.check(token), undefined)
  assert.equal(await tokens.checkAgain(record.id), undefined)
})

test('what its user is counts when it is shown, and it is one object until that changes', async () => {
  const tokens = await openService()
  const { token } = await tokens.make(wish({ scope: 'artifact:docker-local:r' }))
  const before = (await tokens.check(token))?.principal
  assert.equal((await tokens.check(token))?.principal, before)
  await store.setGroupsOf('alice', ['ops'])
  await nextRequest()
  const since = (await tokens.check(token))?.principal
  assert.deepEqual(since?.groups, ['ops'])
  assert.equal(since?.limits?.length, 1)
  await store.removeUser('alice')
  await nextRequest()
  assert.equal(await tokens.check(token), undefined)
})

test('when it was last used is written down, once a minute at most', async () => {
  const tokens = await openService()
  const { token, record } = await tokens.make(wish())
  const used = async () => (await store.findToken(record.id))?.lastUsedAt?.getTime()
  assert.equal(await used(), undefined)
  const first = nowMs
  await tokens.check(token)
  assert.equal(await used(), first)
  nowMs += minute - 1
  await tokens.check(token)
  assert.equal(await used(), first)
  nowMs += 1
  await tokens.check(token)
  assert.equal(await used(), nowMs)
})

test('of a user a hundred refresh tokens are kept, and the oldest end', async () => {
  const tokens = await openService()
  const made: string[] = []
  for (let count = 0; count < 102; count += 1) {
    nowMs += 1
    made.push((await tokens.make(wish({ kind: 'refresh' }))).token)
  }
  await nextRequest()
  const good = await Promise.all(made.map(async (token) => (await tokens.check(token)) !== undefined))
  assert.deepEqual(good.indexOf(true), 2)
  assert.equal(good.filter(Boolean).length, 100)
})

test('an API key and an encrypted password can be shown again, are one a user each, and end with the next', async () => {
  const tokens = await openService()
  await store.addUser(userNamed('bob'))
  assert.equal(await tokens.standing('alice', 'api key'), undefined)
  const key = await tokens.renewStanding('alice', 'api key')
  const encrypted = await tokens.renewStanding('alice', 'encrypted password')
  const others = await tokens.renewStanding('bob', 'api key')
  assert.equal(new Set([key, encrypted, others]).size, 3)
  for (const each of [tokens, await openService()]) {
    assert.equal(await each.standing('alice', 'api key'), key)
    assert.equal(await each.standing('alice', 'encrypted password'), encrypted)
    assert.equal((await each.check(key))?.record.kind, 'api key')
    assert.equal((await each.check(others))?.principal.name, 'bob')
  }
  const next = await tokens.renewStanding('alice', 'api key')
  await nextRequest()
  assert.equal(await tokens.check(key), undefined)
  for (const still of [next, encrypted, others]) assert.ok(await tokens.check(still))
})

test('a changed password ends refresh tokens and the encrypted password, and nothing else', async () => {
  const tokens = await openService()
  const made = {
    access: (await tokens.make(wish())).token,
    refresh: (await tokens.make(wish({ kind: 'refresh' }))).token,
    key: await tokens.renewStanding('alice', 'api key'),
    encrypted: await tokens.renewStanding('alice', 'encrypted password'),
  }
  await store.changeUser('alice', { passwordHash: 'another' })
  await nextRequest()
  const good: string[] = []
  for (const [what, token] of Object.entries(made)) if (await tokens.check(token)) good.push(what)
  assert.deepEqual(good, ['access', 'key'])
})

for (const [scope, stands] of [
  [undefined, false],
  ['artifact:docker-local:r', false],
  ['applied-permissions/groups:devs', true],
  ['applied-permissions/admin', true],
] as const)
  test(`a token of ${scope ?? 'no scope'} for who is no user here is ${stands ? 'good by itself' : 'none'}`, async () => {
    const tokens = await openService()
    const { token } = await tokens.make(wish({ user: 'github/main', scope }))
    const shown = await tokens.check(token)
    assert.equal(shown?.principal.name, stands ? 'github/main' : undefined)
  })

test('a token of a user of another realm ends with that user', async () => {
  let there = true
  const carol = { name: 'carol', email: undefined, groups: ['staff'], admin: false }
  const source: UserSource = {
    realm: 'ldap',
    checkPassword: async () => undefined,
    findUser: async () => (there ? carol : undefined),
  }
  await store.keepRealmUser({ name: 'carol', realm: 'ldap', admin: false, email: undefined, realmGroups: ['staff'] })
  const tokens = await openService([source])
  const { token } = await tokens.make(wish({ user: 'carol' }))
  assert.deepEqual((await tokens.check(token))?.principal.groups, ['staff'])
  there = false
  nowMs += minute
  assert.equal(await tokens.check(token), undefined)
  there = true
  assert.ok(await tokens.check(token))
})

test('a token of an admin, or of groups, ends with its user and with what that was', async () => {
  await store.addUser(userNamed('root', { admin: true }))
  await store.addUser(userNamed('chief', { admin: true }))
  const tokens = await openService()
  const asAdmin = await tokens.make(wish({ user: 'chief', scope: 'applied-permissions/admin' }))
  const ofGroups = await tokens.make(wish({ user: 'chief', scope: 'applied-permissions/groups:devs' }))
  const ofNobody = await tokens.make(wish({ user: 'job', scope: 'applied-permissions/groups:devs' }))
  for (const { token } of [asAdmin, ofGroups, ofNobody]) assert.ok(await tokens.check(token))

  await store.changeUser('chief', { admin: false })
  await nextRequest()
  assert.equal(await tokens.check(asAdmin.token), undefined)
  assert.ok(await tokens.check(ofGroups.token))

  // As a user of the configuration file, or of a directory, goes: without a word to the tokens.
  const without = { ...store, findUser: async () => undefined }
  const gone = await openAccessTokens(store, identityOn(without, {}, [], () => nowMs).directory, () => new Date(nowMs))
  assert.equal(await gone.check(ofGroups.token), undefined)
  assert.ok(await gone.check(ofNobody.token))
})

test('what stands for the password ends with it, whoever has changed that', async () => {
  const declared = (passwordHash: string) => ({
    users: [{ record: userNamed('carol', { passwordHash }), groups: [] }],
  })
  const serviceWith = async (passwordHash: string) =>
    openAccessTokens(store, identityOn(store, declared(passwordHash), [], () => nowMs).directory, () => new Date(nowMs))
  const before = await serviceWith('one')
  const { token: refresh } = await before.make(wish({ user: 'carol', kind: 'refresh' }))
  const { token: encrypted } = await before.ensureStanding('carol', 'encrypted password')
  const { token: access } = await before.make(wish({ user: 'carol' }))
  for (const token of [refresh, encrypted, access]) assert.ok(await (await serviceWith('one')).check(token))
  for (const token of [refresh, encrypted]) assert.equal(await (await serviceWith('another')).check(token), undefined)
  assert.ok(await (await serviceWith('another')).check(access))
})
