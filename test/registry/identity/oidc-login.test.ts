import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { UnsecuredJWT, type JWTPayload } from 'jose'
import { registrySection } from '../../../registry/config.ts'
import { RegistryError } from '../../../registry/domain/errors.ts'
import { openLogin, type Login } from '../../../registry/identity/oidc/login.ts'
import { openPendingLogins, type PendingLogin } from '../../../registry/identity/oidc/pending-login.ts'
import { openProviderFetch } from '../../../registry/identity/oidc/provider-fetch.ts'
import { openProvider } from '../../../registry/identity/oidc/provider.ts'
import type { SourceUser } from '../../../registry/identity/user-source.ts'
import { clientId, startOidcProvider } from '../../helpers/oidc-provider.ts'
import { discoveryPath, keysPath, startTokenIssuer } from '../../helpers/token-issuer.ts'

const redirectUri = 'https://registry.test/artifactory/api/oidc/company/callback'
const alice = {
  preferred_username: 'alice',
  email: 'alice@company.test',
  email_verified: true,
  groups: ['developers', 'registry-admins'],
}
const accounts = {
  alice,
  mallory: { preferred_username: 'not a name', groups: [] },
  bob: { preferred_username: 'bob' },
}
const provider = await startOidcProvider({ redirectUris: [redirectUri], accounts })
after(() => provider[Symbol.asyncDispose]())

let now = Date.now()
const pendingLogins = openPendingLogins(() => now)
const seen: [string, SourceUser][] = []

function loginWith(issuer: string, { clientSecret, ...more }: { readonly clientSecret?: string } = {}): Login {
  const { oidc } = registrySection.parse({
    oidc: { company: { issuer, clientId, adminGroup: 'registry-admins', ...more } },
  })
  const config = oidc['company']
  assert.ok(config)
  return openLogin({
    provider: openProvider('company', issuer, openProviderFetch(undefined), () => now),
    config,
    clientId,
    clientSecret,
    pendingLogins,
    onLogin: async (provider, user) => {
      if (user.name === 'bob') throw new RegistryError('DENIED', { message: 'bob belongs to another realm' })
      seen.push([provider, user])
    },
  })
}

const login = loginWith(provider.issuer)
const unauthorized = (why: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RegistryError, String(error))
  assert.equal(error.code, 'UNAUTHORIZED', error.message)
  assert.match(error.message, why)
  return true
}

/** What has been kept for the browser, and the same with changes. */
async function changed(pending: string, changes: Partial<PendingLogin>): Promise<string> {
  const kept = await pendingLogins.open('company', pending)
  assert.ok(kept)
  return await pendingLogins.seal('company', { ...kept, ...changes })
}

for (const [what, options] of [
  ['in the ID token', {}],
  ['apart from the ID token', { claimsApart: true }],
  ['to a client with a secret', { clientSecret: 'a secret: with % and +' }],
] as const)
  test(`whoever logs in is whom the provider names ${what}`, async () => {
    await using provider = await startOidcProvider({ redirectUris: [redirectUri], accounts, ...options })
    const login = loginWith(provider.issuer, 'clientSecret' in options ? options : {})
    const { location, pending } = await login.begin(redirectUri, '/console?tab=images')
    const asked = new URL(location).searchParams
    assert.equal(asked.get('response_type'), 'code')
    assert.equal(asked.get('code_challenge_method'), 'S256')
    assert.equal(asked.get('scope'), 'openid profile email')
    assert.equal(asked.get('redirect_uri'), redirectUri)

    const finished = await login.finish(await provider.logIn(location, 'alice'), pending)
    const user = { name: 'alice', email: 'alice@company.test', groups: alice.groups, admin: true }
    assert.deepEqual(finished, { user, returnTo: '/console?tab=images' })
    assert.deepEqual(seen.pop(), ['company', user])
  })

test('no two logins have the same state, nonce or challenge, and the browser can read none of it', async () => {
  const [one, other] = [await login.begin(redirectUri, '/'), await login.begin(redirectUri, '/')]
  const secrets = (location: string) =>
    ['state', 'nonce', 'code_challenge'].map((name) => new URL(location).searchParams.get(name) ?? '')
  const all = [...secrets(one.location), ...secrets(other.location)]
  assert.equal(new Set(all).size, 6)
  assert.ok(all.every((secret) => secret.length >= 43))
  const kept = await pendingLogins.open('company', one.pending)
  assert.ok(kept && !Buffer.from(one.pending, 'base64url').includes(kept.codeVerifier))
})

test('a callback is good only in the browser that has begun the login', async () => {
  const { location, pending } = await login.begin(redirectUri, '/')
  const callback = await provider.logIn(location, 'alice')
  const other = await login.begin(redirectUri, '/')
  await assert.rejects(login.finish(callback, undefined), unauthorized(/has begun no such login/))
  await assert.rejects(login.finish(callback, 'nonsense'), unauthorized(/has begun no such login/))
  await assert.rejects(login.finish(callback, `${pending.slice(0, -2)}xx`), unauthorized(/has begun no such login/))
  await assert.rejects(login.finish(callback, other.pending), unauthorized(/did not succeed/))
  const elsewhere = openPendingLogins(() => now)
  const kept = await pendingLogins.open('company', pending)
  assert.ok(kept)
  const forged = await elsewhere.seal('company', kept)
  await assert.rejects(login.finish(callback, forged), unauthorized(/has begun no such login/))
  const ofAnother = await pendingLogins.seal('another', kept)
  await assert.rejects(login.finish(callback, ofAnother), unauthorized(/has begun no such login/))
  assert.equal((await login.finish(callback, pending)).user.name, 'alice')
})

test('a login that takes longer than ten minutes is begun anew', async () => {
  const { location, pending } = await login.begin(redirectUri, '/')
  const callback = await provider.logIn(location, 'alice')
  const before = now
  now = before + 601_000
  await assert.rejects(login.finish(callback, pending), unauthorized(/too long ago/))
  now = before + 598_000
  await login.finish(callback, pending)
  now = before
})

test('a code that comes a second time is refused', async () => {
  const { location, pending } = await login.begin(redirectUri, '/')
  const callback = await provider.logIn(location, 'alice')
  await login.finish(callback, pending)
  await assert.rejects(login.finish(callback, pending), unauthorized(/does not accept the code/))
})

for (const [what, tamper, why] of [
  ['state', { state: 'another' }, /did not succeed/],
  ['nonce', { nonce: 'another' }, /did not succeed/],
  ['code verifier', { codeVerifier: 'another-that-is-long-enough-to-be-one-at-all' }, /does not accept the code/],
] as const)
  test(`a login whose ${what} is not that of the callback is refused`, async () => {
    const { location, pending } = await login.begin(redirectUri, '/')
    const callback = await provider.logIn(location, 'alice')
    await assert.rejects(login.finish(callback, await changed(pending, tamper)), unauthorized(why))
  })

for (const [what, tamper] of [
  ['another state', (query: URLSearchParams) => query.set('state', 'another')],
  ['no state', (query: URLSearchParams) => query.delete('state')],
  ['two states', (query: URLSearchParams) => query.append('state', 'another')],
  ['another issuer', (query: URLSearchParams) => query.set('iss', 'https://another.test')],
  ['no issuer, although the provider names itself', (query: URLSearchParams) => query.delete('iss')],
  ['another code', (query: URLSearchParams) => query.set('code', 'another')],
  ['no code', (query: URLSearchParams) => query.delete('code')],
  ['an answer outside of the protocol', (query: URLSearchParams) => query.set('response', 'x.y.z')],
] as const)
  test(`a callback with ${what} is refused`, async () => {
    const { location, pending } = await login.begin(redirectUri, '/')
    const callback = await provider.logIn(location, 'alice')
    tamper(callback.searchParams)
    await assert.rejects(login.finish(callback, pending), unauthorized(/did not succeed/))
  })

test('a person who says no is told so, and nothing that stands in the address', async () => {
  const { location, pending } = await login.begin(redirectUri, '/')
  const callback = await provider.refuse(location)
  assert.equal(callback.searchParams.get('error'), 'access_denied')
  callback.searchParams.set('error_description', '<script>')
  await assert.rejects(login.finish(callback, pending), unauthorized(/: it answers access_denied$/))
  callback.searchParams.set('error', '<script>')
  await assert.rejects(login.finish(callback, pending), unauthorized(/: it answers an error$/))
})

for (const [account, message] of [
  ['mallory', /preferred_username is no user name here/],
  ['bob', /bob belongs to another realm/],
] as const)
  test(`${account} logs in at the provider and is refused here`, async () => {
    const { location, pending } = await login.begin(redirectUri, '/')
    const callback = await provider.logIn(location, account)
    await assert.rejects(login.finish(callback, pending), { code: 'DENIED', message })
    assert.ok(!seen.some(([, { name }]) => name === account))
  })

test('a wrong client secret is no fault of the person', async () => {
  await using provider = await startOidcProvider({ redirectUris: [redirectUri], accounts, clientSecret: 'right' })
  const login = loginWith(provider.issuer, { clientSecret: 'wrong' })
  const { location, pending } = await login.begin(redirectUri, '/')
  const callback = await provider.logIn(location, 'alice')
  await assert.rejects(login.finish(callback, pending), { code: 'UNAVAILABLE', message: /invalid_client/ })
})

test('a provider that does not answer is no answer about the person', async () => {
  await using issuer = await startTokenIssuer()
  const nothing = loginWith(issuer.issuer)
  await assert.rejects(nothing.begin(redirectUri, '/'), { code: 'UNAVAILABLE', message: /offers no login/ })

  describeLogin(issuer)
  const login = loginWith(issuer.issuer)
  const { location, pending } = await login.begin(redirectUri, '/')
  const state = new URL(location).searchParams.get('state') ?? ''
  issuer.instead.set('/token', (response) => response.destroy())
  const callback = new URL(`${redirectUri}?code=x&state=${state}`)
  const unavailable = { code: 'UNAVAILABLE', message: 'the provider "company" cannot be asked' }
  await assert.rejects(login.finish(callback, pending), unavailable)
  await issuer[Symbol.asyncDispose]()
  await assert.rejects(loginWith(issuer.issuer).begin(redirectUri, '/'), unavailable)
})

function describeLogin({ issuer, instead }: Awaited<ReturnType<typeof startTokenIssuer>>): void {
  const description = {
    issuer,
    jwks_uri: `${issuer}${keysPath}`,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    id_token_signing_alg_values_supported: ['ES256'],
  }
  instead.set(discoveryPath, (response) => response.end(JSON.stringify(description)))
}

for (const [what, change, signedBy] of [
  ['of another issuer', { iss: 'https://another.test' }, 'issuer'],
  ['for another client', { aud: 'another' }, 'issuer'],
  ['for another client too, that it was given to', { aud: [clientId, 'another'], azp: 'another' }, 'issuer'],
  ['that has expired', { exp: Math.floor(now / 1000) - 61 }, 'issuer'],
  ['without an end', { exp: undefined }, 'issuer'],
  ['without a nonce', { nonce: undefined }, 'issuer'],
  ['for nobody', { sub: undefined }, 'issuer'],
  ['that is not signed', {}, 'nobody'],
  ['that is signed by somebody else', {}, 'stranger'],
] as const)
  test(`an ID token ${what} is refused`, async () => {
    await using issuer = await startTokenIssuer()
    await using stranger = await startTokenIssuer()
    describeLogin(issuer)
    const login = loginWith(issuer.issuer)
    const { location, pending } = await login.begin(redirectUri, '/')
    const { state, nonce } = Object.fromEntries(new URL(location).searchParams)
    const seconds = Math.floor(now / 1000)
    const good = {
      iss: issuer.issuer,
      aud: clientId,
      sub: 'x',
      iat: seconds,
      exp: seconds + 60,
      nonce: nonce ?? '',
      ...alice,
    }
    const answer = (idToken: string) =>
      issuer.instead.set('/token', (response) => {
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify({ access_token: 'x', token_type: 'Bearer', id_token: idToken }))
      })
    const callback = new URL(`${redirectUri}?code=x&state=${state}`)

    const claims = { ...good, ...change } as JWTPayload
    const bad = {
      issuer: () => issuer.sign(claims),
      stranger: () => stranger.sign(claims),
      nobody: () => new UnsecuredJWT(claims).encode(),
    }
    answer(await bad[signedBy]())
    await assert.rejects(login.finish(callback, pending), unauthorized(/did not succeed/))
    answer(await issuer.sign(good))
    assert.equal((await login.finish(callback, pending)).user.name, 'alice')
  })
