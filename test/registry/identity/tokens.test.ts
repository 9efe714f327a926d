import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair, SignJWT } from 'jose'
import { parseImageName, isRepositoryKey } from '../../../registry/domain/names.ts'
import { openTokens, type TokenContents } from '../../../registry/identity/tokens.ts'
import type { SigningKeys } from '../../../registry/storage/access-store.ts'
import { openSqliteMetadata } from '../../../registry/storage/sqlite-metadata.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

const start = new Date('2026-01-01T00:00:00Z')
const life = { lifeSeconds: 3600, keyLifeMs: 24 * 3_600_000 }
const key = 'docker-local'
assert.ok(isRepositoryKey(key))
const contents: TokenContents = {
  owner: { user: 'dev', tokenId: 'abc', passwordStamp: undefined },
  grants: [{ repository: key, image: parseImageName('team/app'), actions: ['read', 'deploy'] }],
  catalog: true,
}

async function withKeys(use: (keys: SigningKeys) => Promise<void>): Promise<void> {
  await using directory = await temporaryDirectory()
  await using metadata = await openSqliteMetadata(`${directory.path}/caisson.db`)
  await use(metadata)
}

test('a token comes back as what it was given for, again and again, also from another process', () =>
  withKeys(async (keys) => {
    const [one, other] = [await openTokens(keys, life), await openTokens(keys, life)]
    const { token } = await one.issue(contents, 'registry.test')
    for (const tokens of [one, one, other]) assert.deepEqual((await tokens.verify(token))?.contents, contents)
    const anonymous = await one.issue({ owner: undefined, grants: [], catalog: false }, 'registry.test')
    assert.deepEqual((await one.verify(anonymous.token))?.contents, { owner: undefined, grants: [], catalog: false })
  }))

test('a token is good for an hour, remembered or not', () =>
  withKeys(async (keys) => {
    let now = start
    const tokens = await openTokens(keys, life, () => now)
    const { token, expiresInSeconds } = await tokens.issue(contents, 'registry.test')
    assert.equal(expiresInSeconds, 3600)
    assert.ok(await tokens.verify(token))
    now = new Date(start.getTime() + 3_599_000)
    assert.ok(await tokens.verify(token))
    now = new Date(start.getTime() + 3_601_000)
    assert.equal(await tokens.verify(token), undefined)
    assert.equal(await (await openTokens(keys, life, () => now)).verify(token), undefined)
  }))

test('a token that is not signed by us, or was changed, is none', () =>
  withKeys(async (keys) => {
    const tokens = await openTokens(keys, life)
    const { token } = await tokens.issue(contents, 'registry.test')
    const [head = '', body = '', signature = ''] = token.split('.')
    const other = await generateKeyPair('ES256')
    const foreign = new SignJWT({ access: [], catalog: true }).setProtectedHeader({ alg: 'ES256' })
    const claims = foreign.setIssuer('caisson').setSubject('admin').setExpirationTime('1h')
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`
    const changed = `${head}.${Buffer.from('{"sub":"admin"}').toString('base64url')}.${signature}`
    for (const bad of [await claims.sign(other.privateKey), unsigned, changed, 'nonsense', `${token}x`])
      assert.equal(await tokens.verify(bad), undefined)
  }))
