import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair, SignJWT } from 'jose'
import { parseImageName, isRepositoryKey } from '../../../registry/domain/names.ts'
import { openTokens, type TokenContents } from '../../../registry/identity/tokens.ts'
import type { Secrets } from '../../../registry/storage/metadata-store.ts'
import { openSqliteMetadata } from '../../../registry/storage/sqlite-metadata.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

const start = new Date('2026-01-01T00:00:00Z')
const key = 'docker-local'
assert.ok(isRepositoryKey(key))
const contents: TokenContents = {
  user: 'dev',
  grants: [{ repository: key, image: parseImageName('team/app'), actions: ['read', 'deploy'] }],
  catalog: true,
}

async function withSecrets(use: (secrets: Secrets) => Promise<void>): Promise<void> {
  await using directory = await temporaryDirectory()
  await using metadata = await openSqliteMetadata(`${directory.path}/caisson.db`)
  await use(metadata)
}

test('a token comes back as what it was given for, again and again, also from another process', () =>
  withSecrets(async (secrets) => {
    const [one, other] = [await openTokens(secrets), await openTokens(secrets)]
    const { token } = await one.issue(contents, 'registry.test')
    for (const tokens of [one, one, other]) assert.deepEqual(await tokens.verify(token), contents)
    const anonymous = await one.issue({ user: undefined, grants: [], catalog: false }, 'registry.test')
    assert.deepEqual(await one.verify(anonymous.token), { user: undefined, grants: [], catalog: false })
  }))

test('a token is good for an hour, remembered or not', () =>
  withSecrets(async (secrets) => {
    let now = start
    const tokens = await openTokens(secrets, () => now)
    const { token, expiresInSeconds } = await tokens.issue(contents, 'registry.test')
    assert.equal(expiresInSeconds, 3600)
    assert.ok(await tokens.verify(token))
    now = new Date(start.getTime() + 3_599_000)
    assert.ok(await tokens.verify(token))
    now = new Date(start.getTime() + 3_601_000)
    assert.equal(await tokens.verify(token), undefined)
    assert.equal(await (await openTokens(secrets, () => now)).verify(token), undefined)
  }))

test('a token that is not signed by us, or was changed, is none', () =>
  withSecrets(async (secrets) => {
    const tokens = await openTokens(secrets)
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
