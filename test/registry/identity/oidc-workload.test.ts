import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { after, test } from 'node:test'
import { exportSPKI, generateKeyPair, importJWK, SignJWT, type JWTPayload } from 'jose'
import { RegistryError } from '../../../registry/domain/errors.ts'
import { registrySection } from '../../../registry/config.ts'
import type { IssueShortLived } from '../../../registry/identity/oidc/connection.ts'
import { openProviderFetch } from '../../../registry/identity/oidc/provider-fetch.ts'
import { openProvider } from '../../../registry/identity/oidc/provider.ts'
import { openWorkload, type Workload } from '../../../registry/identity/oidc/workload.ts'
import { makeCertificate } from '../../helpers/test-certificate.ts'
import { discoveryPath, keysPath, startTokenIssuer, type TokenIssuer } from '../../helpers/token-issuer.ts'

const start = Date.parse('2026-01-01T00:00:00Z')
const startSeconds = start / 1000
const minuteMs = 60_000
const subject = 'repo:company/app:ref:refs/heads/main'
const good = {
  aud: 'caisson',
  sub: subject,
  ref: 'refs/heads/main',
  iat: startSeconds,
  nbf: startSeconds,
  exp: startSeconds + 300,
}

const issuer = await startTokenIssuer()
after(() => issuer[Symbol.asyncDispose]())

/** Issues what says for what it was issued. */
const issueShortLived: IssueShortLived = async (grant) => ({
  token: JSON.stringify(grant),
  expiresInSeconds: grant.lifeSeconds,
})

const rules = [
  { name: 'main', claims: { sub: 'repo:company/*:ref:refs/heads/main' }, user: 'ci', life: '5m' },
  { name: 'tags', claims: { ref: 'refs/tags/*' }, groups: ['readers', 'testers'], scope: 'something narrower' },
]

function workloadOf({ issuer: url }: TokenIssuer, now: () => number = () => start, ca?: string): Workload {
  const { oidc } = registrySection.parse({
    oidc: { github: { issuer: url, workload: { audience: 'caisson', rules } } },
  })
  const workload = oidc['github']?.workload
  assert.ok(workload)
  return openWorkload(openProvider('github', url, openProviderFetch(ca, 500), now), workload, issueShortLived, now)
}

const sign = (claims: JWTPayload) => issuer.sign({ iss: issuer.issuer, ...good, ...claims })
const unavailable = { code: 'UNAVAILABLE', message: 'the provider "github" cannot be asked' }
const refused = (why: RegExp) => (error: unknown) =>
  error instanceof RegistryError && error.code === 'UNAUTHORIZED' && why.test(error.message)

test('a token of a job becomes one of the user that the rule names, as often as it comes', async () => {
  const token = await sign({})
  for (const workload of [workloadOf(issuer), workloadOf(issuer)])
    assert.deepEqual(await workload.exchange(token, undefined), {
      kind: 'granted',
      rule: 'main',
      subject,
      user: 'ci',
      scope: 'applied-permissions/user',
      token: JSON.stringify({ user: 'ci', lifeSeconds: 300, description: `github, rule main: ${subject}` }),
      expiresInSeconds: 300,
    })
})

test('a job that is no user has the groups of its rule, and a name that no user can have', async () => {
  const exchange = await workloadOf(issuer).exchange(await sign({ sub: 'x', ref: 'refs/tags/v1' }), undefined)
  assert.ok(exchange.kind === 'granted')
  assert.equal(exchange.user, 'github/tags')
  assert.equal(exchange.scope, 'something narrower')
  assert.deepEqual(JSON.parse(exchange.token), {
    user: 'github/tags',
    groups: ['readers', 'testers'],
    scope: 'something narrower',
    lifeSeconds: 600,
    description: 'github, rule tags: x',
  })
})

test('a client may ask for one rule by name, and is then let in by no other', async () => {
  const both = await sign({ ref: 'refs/tags/v1' })
  const workload = workloadOf(issuer)
  const ruleOf = async (token: string, name: string) => {
    const exchange = await workload.exchange(token, name)
    return exchange.kind === 'granted' ? exchange.rule : exchange.misses
  }
  assert.equal(await ruleOf(both, 'tags'), 'tags')
  assert.equal(await ruleOf(both, 'main'), 'main')
  assert.deepEqual(await ruleOf(await sign({}), 'tags'), [{ rule: 'tags', claims: ['ref'] }])
  assert.deepEqual(await ruleOf(both, 'unknown'), [])
})

test('a token that no rule matches tells what was missing', async () => {
  const exchange = await workloadOf(issuer).exchange(
    await sign({ sub: 'repo:evil/app:ref:refs/heads/main' }),
    undefined,
  )
  assert.deepEqual(exchange, {
    kind: 'unmatched',
    subject: 'repo:evil/app:ref:refs/heads/main',
    misses: [
      { rule: 'main', claims: ['sub'] },
      { rule: 'tags', claims: ['ref'] },
    ],
  })
})

for (const [what, claims, why] of [
  ['from another issuer', { iss: 'https://token.actions.githubusercontent.com' }, /"iss"/],
  ['from an issuer with a slash more', { iss: `${issuer.issuer}/` }, /"iss"/],
  ['for another audience', { aud: 'https://github.com/company' }, /"aud"/],
  ['for no audience', { aud: undefined }, /"aud"/],
  ['that has expired', { exp: startSeconds - 60 }, /has expired/],
  ['that never expires', { exp: undefined }, /"exp"/],
  ['that is not good yet', { nbf: startSeconds + 61 }, /"nbf"/],
  ['of the future', { iat: startSeconds + 61 }, /"iat"/],
  ['without an age', { iat: undefined }, /"iat"/],
  ['of the day before yesterday', { iat: startSeconds - 24 * 3600 - 61 }, /too old/],
] as const)
  test(`a token ${what} is refused`, async () => {
    await assert.rejects(workloadOf(issuer).exchange(await sign(claims as JWTPayload), undefined), refused(why))
  })

for (const [what, claims] of [
  ['has expired less than a minute ago', { exp: startSeconds - 59 }],
  ['is good in less than a minute', { nbf: startSeconds + 60, iat: startSeconds + 60 }],
  ['is for others too', { aud: ['else', 'caisson'] }],
  ['is a day old', { iat: startSeconds - 24 * 3600 }],
] as const)
  test(`a token that ${what} counts`, async () => {
    assert.equal((await workloadOf(issuer).exchange(await sign(claims as JWTPayload), undefined)).kind, 'granted')
  })

test('a token without a signature, or with one that others can make, is refused', async () => {
  const [, body = '', signature = ''] = (await sign({})).split('.')
  const encoded = (header: object) => Buffer.from(JSON.stringify(header)).toString('base64url')
  const [key] = issuer.keys
  assert.ok(key)
  const kid = key.kid ?? ''

  const publicKey = await importJWK({ ...key, ext: true }, 'ES256', { extractable: true })
  assert.ok(publicKey instanceof CryptoKey)
  const signedPart = `${encoded({ alg: 'HS256', kid })}.${body}`
  const withPublicKey = (secret: string) =>
    `${signedPart}.${createHmac('sha256', secret).update(signedPart).digest('base64url')}`
  const stranger = await generateKeyPair('ES256')
  const ofStranger = (header: object) =>
    new SignJWT({ iss: issuer.issuer, ...good })
      .setProtectedHeader({ alg: 'ES256', ...header })
      .sign(stranger.privateKey)

  for (const [token, why] of [
    [`${encoded({ alg: 'none' })}.${body}.`, /./],
    [`${encoded({ alg: 'none', kid })}.${body}.${signature}`, /algorithm/],
    [`${encoded({ alg: 'NONE', kid })}.${body}.${signature}`, /algorithm/],
    [withPublicKey(await exportSPKI(publicKey)), /algorithm/],
    [withPublicKey(JSON.stringify(key)), /algorithm/],
    [await ofStranger({ kid }), /signature/],
    [await ofStranger({ kid: 'elsewhere' }), /no key/],
    // Keys that a token brings along are looked at by nobody.
    [await ofStranger({ kid: 'own', jwk: { ...key, kid: 'own' }, jku: `${issuer.issuer}/else` }), /no key/],
    [
      `${encoded({ alg: 'ES256', kid })}.${encoded({ iss: issuer.issuer, ...good, sub: 'x' })}.${signature}`,
      /signature/,
    ],
    ['nonsense', /no signed token/],
    ['a.b.c', /no signed token/],
  ] as const)
    await assert.rejects(workloadOf(issuer).exchange(token, undefined), refused(why))
  assert.ok(!issuer.asked.includes('/else'))
})

for (const algorithm of ['RS256', 'PS384', 'ES384', 'EdDSA'])
  test(`a token that is signed with ${algorithm} counts`, async () => {
    await using issuer = await startTokenIssuer()
    await issuer.addKey(algorithm)
    const token = await issuer.sign({ iss: issuer.issuer, ...good })
    assert.equal((await workloadOf(issuer).exchange(token, undefined)).kind, 'granted')
  })

test('a new key is learnt when a token names it, but the provider is not asked more than every half minute', async () => {
  await using issuer = await startTokenIssuer()
  let now = start
  const workload = workloadOf(issuer, () => now)
  const sign = () => issuer.sign({ iss: issuer.issuer, ...good })
  const timesAsked = () => issuer.asked.filter((path) => path === keysPath).length
  const first = await sign()
  await Promise.all([workload.exchange(first, undefined), workload.exchange(first, undefined)])
  assert.deepEqual(issuer.asked, [discoveryPath, keysPath])

  await issuer.addKey()
  const second = await sign()
  now += 29_999
  for (let time = 0; time < 3; time++) await assert.rejects(workload.exchange(second, undefined), refused(/no key/))
  assert.equal(timesAsked(), 1)
  now += 1
  assert.equal((await workload.exchange(second, undefined)).kind, 'granted')
  assert.equal((await workload.exchange(first, undefined)).kind, 'granted')
  assert.equal(timesAsked(), 2)
})

test('a key that the provider has withdrawn counts for ten minutes at most', async () => {
  await using issuer = await startTokenIssuer()
  let now = start
  const workload = workloadOf(issuer, () => now)
  const token = await issuer.sign({ iss: issuer.issuer, ...good, exp: startSeconds + 3600 })
  await workload.exchange(token, undefined)
  issuer.keys.length = 0
  now += 10 * minuteMs - 1
  await workload.exchange(token, undefined)
  now += 1
  await assert.rejects(workload.exchange(token, undefined), refused(/no key/))
})

test('a provider that cannot be asked is no answer about a token, and is asked again the next time', async () => {
  await using issuer = await startTokenIssuer()
  const workload = workloadOf(issuer)
  const token = await issuer.sign({ iss: issuer.issuer, ...good })
  for (const path of [discoveryPath, keysPath]) {
    for (const fail of [
      (response) => response.destroy(),
      (response) => response.writeHead(500).end('{}'),
      (response) => response.end('not JSON'),
      (response) => response.end('[]'),
      (response) => response.end(JSON.stringify({ keys: [], padding: 'x'.repeat(1024 * 1024) })),
      () => {}, // never answers
    ] satisfies ((response: ServerResponse) => void)[]) {
      issuer.instead.set(path, fail)
      await assert.rejects(workload.exchange(token, undefined), unavailable)
    }
    issuer.instead.delete(path)
  }
  assert.equal((await workload.exchange(token, undefined)).kind, 'granted')
  await issuer[Symbol.asyncDispose]()
  await assert.rejects(workloadOf(issuer).exchange(token, undefined), unavailable)
})

test('a provider can neither speak for another nor send us elsewhere', async () => {
  await using issuer = await startTokenIssuer()
  await using other = await startTokenIssuer()
  const token = await issuer.sign({ iss: issuer.issuer, ...good })
  const describe = (description: object) =>
    issuer.instead.set(discoveryPath, (response) => response.end(JSON.stringify(description)))

  for (const name of [other.issuer, `${issuer.issuer}/`]) {
    describe({ issuer: name, jwks_uri: `${issuer.issuer}${keysPath}` })
    await assert.rejects(workloadOf(issuer).exchange(token, undefined), unavailable)
  }
  for (const uri of ['http://company.test/keys', 'file:///etc/passwd', '/keys', 7]) {
    describe({ issuer: issuer.issuer, jwks_uri: uri })
    await assert.rejects(workloadOf(issuer).exchange(token, undefined), unavailable)
  }
  issuer.instead.delete(discoveryPath)
  for (const path of [discoveryPath, keysPath]) {
    issuer.instead.set(path, (response) => response.writeHead(302, { location: `${other.issuer}${path}` }).end())
    await assert.rejects(workloadOf(issuer).exchange(token, undefined), unavailable)
    issuer.instead.delete(path)
  }
  assert.deepEqual(other.asked, [])
})

test('a provider with a certificate of its own authority is believed by that one alone', async () => {
  const certificate = makeCertificate(['localhost'])
  await using issuer = await startTokenIssuer(certificate)
  const token = await issuer.sign({ iss: issuer.issuer, ...good })
  const exchange = (ca: string | undefined) => workloadOf(issuer, () => start, ca).exchange(token, undefined)
  assert.equal((await exchange(certificate.cert)).kind, 'granted')
  await assert.rejects(exchange(undefined), unavailable)
  await assert.rejects(exchange(makeCertificate(['localhost']).cert), unavailable)
})
