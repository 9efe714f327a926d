import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { decodeProtectedHeader } from 'jose'
import { openSigningKeys } from '../../../registry/identity/signing-keys.ts'
import { openTokens, type TokenContents } from '../../../registry/identity/tokens.ts'
import type { SigningKeys } from '../../../registry/storage/access-store.ts'
import type { MetadataStore } from '../../../registry/storage/metadata-store.ts'
import { openSqliteMetadata } from '../../../registry/storage/sqlite-metadata.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

const dayMs = 24 * 3_600_000
const hourMs = 3_600_000
const life = { signsMs: 30 * dayMs, verifiesMs: hourMs }
const start = Date.parse('2026-01-01T00:00:00Z')
let nowMs = start
const now = () => new Date(nowMs)

const directory = await temporaryDirectory()
after(() => directory[Symbol.asyncDispose]())
const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())
let stores = 0
let store: MetadataStore

beforeEach(async () => {
  nowMs = start
  store = opened.use(await openSqliteMetadata(`${directory.path}/${(stores += 1)}.db`))
})

/** As it is in another process. */
const openKeys = (of: SigningKeys = store) => openSigningKeys(of, life, now)

test('the first key is made when it is needed, and signs until it is old', async () => {
  const keys = await openKeys()
  assert.deepEqual(await store.listSigningKeys(), [])
  const { id } = await keys.current()
  nowMs += life.signsMs - 1
  assert.equal((await keys.current()).id, id)
  nowMs += 1
  assert.notEqual((await keys.current()).id, id)
})

test('a key that signs no more is known for as long as what it has signed is good', async () => {
  const keys = await openKeys()
  const { id } = await keys.current()
  nowMs += life.signsMs
  const next = await keys.current()
  nowMs += life.verifiesMs - 1
  assert.ok(await keys.find(id))
  nowMs += 1
  assert.equal(await keys.find(id), undefined)
  assert.ok(await keys.find(next.id))
  nowMs += life.signsMs
  await keys.current()
  assert.ok(
    (await store.listSigningKeys()).every((key) => key.id !== id),
    'it is not kept either',
  )
})

test('many that want a new key at once get one and the same', async () => {
  const [one, other] = [await openKeys(), await openKeys()]
  const asked = [one, other, one, other, one].map(async (keys) => (await keys.current()).id)
  assert.equal(new Set(await Promise.all(asked)).size, 1)
  assert.equal((await store.listSigningKeys()).length, 1)
  nowMs += life.signsMs
  const again = [one, other, one, other, one].map(async (keys) => (await keys.current()).id)
  assert.equal(new Set(await Promise.all(again)).size, 1)
  assert.equal((await store.listSigningKeys()).length, 2)
})

test('what another process has made is known, and what nobody has made is looked for once a second', async () => {
  let reads = 0
  const counted: SigningKeys = {
    listSigningKeys: async () => {
      reads += 1
      return await store.listSigningKeys()
    },
    addSigningKey: async (...of) => store.addSigningKey(...of),
  }
  const keys = await openKeys(counted)
  for (let count = 0; count < 100; count += 1) assert.equal(await keys.find(`made up ${count}`), undefined)
  assert.equal(reads, 2)
  const { id } = await (await openKeys()).current()
  assert.equal(await keys.find(id), undefined)
  nowMs += 1000
  assert.ok(await keys.find(id))
  assert.equal(reads, 3)
})

test('the public parts are published, the newest first, and nothing of the private ones', async () => {
  const keys = await openKeys()
  const { id } = await keys.current()
  nowMs += life.signsMs
  const published = await keys.published()
  const next = await keys.current()
  assert.deepEqual(
    published.map(({ kid }) => kid),
    [next.id, id],
  )
  for (const key of published) {
    assert.deepEqual(Object.keys(key).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
    assert.deepEqual([key.alg, key.use], ['ES256', 'sig'])
  }
})

test('keys outlive a restart', async () => {
  const { id } = await (await openKeys()).current()
  assert.equal((await (await openKeys()).current()).id, id)
})

const contents: TokenContents = {
  owner: { user: 'dev', tokenId: 'abc', passwordStamp: undefined },
  grants: [],
  catalog: true,
}
const tokenLife = { lifeSeconds: hourMs / 1000, keyLifeMs: life.signsMs }

test('a token that was signed by the last key with its last breath is good until it ends, in every process', async () => {
  const [one, other] = [await openTokens(store, tokenLife, now), await openTokens(store, tokenLife, now)]
  await one.issue(contents, 'registry.test')
  nowMs += life.signsMs - 1
  const last = await one.issue(contents, 'registry.test')
  nowMs += 1
  const first = await other.issue(contents, 'registry.test')
  assert.notEqual(decodeProtectedHeader(first.token).kid, decodeProtectedHeader(last.token).kid)
  // One looks for a key of another process once a second.
  nowMs += 1000
  const restarted = await openTokens(store, tokenLife, now)
  for (const tokens of [one, other, restarted])
    for (const { token } of [last, first]) assert.deepEqual((await tokens.verify(token))?.contents, contents)
  nowMs += hourMs - 2001
  for (const tokens of [one, other, await openTokens(store, tokenLife, now)])
    assert.deepEqual((await tokens.verify(last.token))?.contents, contents)
  nowMs += 2000
  for (const tokens of [one, other, await openTokens(store, tokenLife, now)])
    assert.equal(await tokens.verify(last.token), undefined)
})
