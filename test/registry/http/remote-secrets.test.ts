import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { registrySection } from '../../../registry/config.ts'
import { openBrokenUpstreamSite, v2Of } from '../../helpers/broken-upstream-site.ts'
import { FaultyUpstream } from '../../helpers/faulty-upstream.ts'
import { pullOutcome, wordsFor } from '../../helpers/pull-outcome.ts'
import { admin } from '../../helpers/registry.ts'
import { requestFailures } from '../../helpers/request-failures.ts'
import { startTestProxy } from '../../helpers/test-proxy.ts'
import { digestOfBytes, tinyImage } from '../../helpers/tiny-image.ts'
import {
  chunked,
  htmlPage,
  otherBytes,
  redirected,
  redirectLoop,
  reset,
  stalled,
  status,
  tooMany,
  truncated,
  withBody,
  withHeaders,
  wrongLength,
  type Fault,
} from '../../helpers/upstream/faults.ts'

const login = { username: 'upstream-user', password: 'upstream-password-1' }
const tokenLogin = { username: 'token-user', password: 'token-password-2' }
const identityToken = 'identity-token-3'
const proxyLogin = { username: 'proxy-user', password: 'proxy-password-4' }
const cookie = 'session=cookie-of-the-client-5'
process.env.CAISSON_TEST_PASSWORD = login.password
process.env.CAISSON_TEST_TOKEN_PASSWORD = tokenLogin.password
process.env.CAISSON_TEST_IDENTITY = identityToken
process.env.CAISSON_TEST_PROXY = proxyLogin.password

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())
const proxy = opened.use(await startTestProxy(proxyLogin))
const [plain, behindTokens, byIdentity] = [
  opened.use(await FaultyUpstream.start({ login })),
  opened.use(await FaultyUpstream.start({ tokens: { login: tokenLogin } })),
  opened.use(await FaultyUpstream.start({ tokens: { identityToken } })),
]
const upstreams = [plain, behindTokens, byIdentity] as const
const short = {
  type: 'remote',
  assumedOfflinePeriodSecs: 0,
  retrievalCachePeriodSecs: 0,
  missedRetrievalCachePeriodSecs: 0,
  socketTimeoutMillis: 300,
}
const { username } = login
const password = { env: 'CAISSON_TEST_PASSWORD' }
const repositories = {
  plain: { ...short, url: plain.url, username, password, enableTokenAuthentication: false },
  passed: { ...short, url: plain.url, username, password, storeArtifactsLocally: false },
  tokens: { ...short, url: behindTokens.url, username: 'token-user', password: { env: 'CAISSON_TEST_TOKEN_PASSWORD' } },
  identity: { ...short, url: byIdentity.url, token: { env: 'CAISSON_TEST_IDENTITY' } },
  proxied: {
    ...short,
    url: plain.url,
    username,
    password,
    proxy: { url: proxy.url, username: proxyLogin.username, password: { env: 'CAISSON_TEST_PROXY' } },
  },
  all: { type: 'virtual', members: ['docker-local', 'plain', 'tokens', 'identity', 'proxied'] },
}
const { registry } = opened.use(await openBrokenUpstreamSite({ repositories }))

const elsewhere = redirected((path) => `${plain.elsewhere.url}${path}?X-Signature=signature-6`)
const faults: Readonly<Record<string, readonly Fault[]>> = {
  'all is well': [],
  truncated: [truncated(3)],
  reset: [reset('head')],
  silent: [stalled('head')],
  'of other bytes': [otherBytes],
  longer: [wrongLength(10)],
  'in chunks, broken': [chunked, reset(3)],
  '401': [status(401)],
  '401 and Basic': [status(401, { 'www-authenticate': 'Basic realm="upstream"' })],
  '401 and a realm elsewhere': [
    status(401, { 'www-authenticate': `Bearer realm="https://realm.test/token",service="upstream"` }),
  ],
  '403': [status(403)],
  '429': [tooMany('0')],
  '500': [status(500)],
  redirected: [elsewhere],
  'redirected in a loop': [redirectLoop],
  'redirected to nowhere': [redirected(() => 'http://127.0.0.1:1/v2/?X-Signature=signature-6')],
  'a page': [htmlPage],
  junk: [withBody('[[[')],
  'a lie': [withHeaders({ 'docker-content-digest': digestOfBytes('another') })],
}

const ofClient = Buffer.from(`${admin.name}:${admin.password}`).toString('base64')
const secrets = [
  login.password,
  tokenLogin.password,
  identityToken,
  proxyLogin.password,
  'signature-6',
  'cookie-of-the-client-5',
  admin.password,
  ofClient,
  ...[login, tokenLogin, proxyLogin].map((one) => Buffer.from(`${one.username}:${one.password}`).toString('base64')),
]

function assertNoSecret(text: string): void {
  for (const secret of secrets) assert.ok(!text.includes(secret), `${secret} in ${text}`)
  // As the token server gives them.
  assert.doesNotMatch(text, /\btoken-\d/)
}

let images = 0

/** Everything that one may ask a repository for, as an admin with a cookie; whether it works or not. */
async function askAll(
  key: string,
  at = registry,
  its: readonly FaultyUpstream[] = upstreams,
): Promise<readonly string[]> {
  const name = `team/app-${++images}`
  const image = tinyImage(name)
  for (const upstream of its) upstream.content.push(name, '1', image)
  const [, layer = Buffer.alloc(0)] = image.blobs
  const words: string[] = []
  for (const path of [
    `${name}/manifests/1`,
    `${name}/manifests/${image.digest}`,
    `${name}/blobs/${digestOfBytes(layer)}`,
    `${name}/tags/list`,
    `${name}/referrers/${image.digest}`,
    '_catalog',
  ]) {
    const headers = { authorization: `Basic ${ofClient}`, cookie }
    const outcome = await pullOutcome(at.socket, `${v2Of(key)}/${path}`, headers)
    words.push(wordsFor(outcome))
    assertNoSecret(JSON.stringify(outcome.headers) + outcome.body.toString())
  }
  return words
}

/** Also what a proxy or a token server refuses. */
async function assertNothingTold(at = registry, its: readonly FaultyUpstream[] = upstreams): Promise<void> {
  assertNoSecret(JSON.stringify(at.log))
  const metrics = await at.admin.ask('GET', '/artifactory/api/v1/metrics')
  assertNoSecret(metrics.body.toString())
  for (const { headers, url } of its.flatMap((one) => [...one.requests, ...one.elsewhere.requests])) {
    assert.equal(headers.cookie, undefined)
    assert.ok(!JSON.stringify(headers).includes(ofClient))
    assert.ok(!JSON.stringify(headers).includes('proxy-authorization'))
    assert.ok(!url.includes('password'))
  }
  for (const { headers } of its.flatMap((one) => one.elsewhere.requests)) assert.equal(headers.authorization, undefined)
  assert.deepEqual(requestFailures(at), [])
}

for (const [title, spoilt] of Object.entries(faults))
  test(`nothing secret is told when an answer is ${title}`, async () => {
    for (const upstream of upstreams) {
      upstream.heal()
      for (const kind of ['manifest', 'blob', 'tags', 'catalog', 'referrers'] as const)
        for (const fault of spoilt) upstream.break(kind, fault, kind === 'blob' ? 2 : undefined)
    }
    const words = await Promise.all(Object.keys(repositories).map((key) => askAll(key)))
    if (spoilt.length === 0) for (const [manifest] of words) assert.equal(manifest, '200 MISS')
    await assertNothingTold()
  })

for (const [title, spoilt] of Object.entries(faults))
  test(`nothing secret is told when the answer of a token server is ${title}`, async () => {
    // Each has a registry of its own, since one that has failed is left alone for a while.
    await using site = await openBrokenUpstreamSite({
      upstream: { tokens: { login: tokenLogin } },
      remote: { username: tokenLogin.username, password: { env: 'CAISSON_TEST_TOKEN_PASSWORD' } },
    })
    for (const fault of spoilt) site.upstream.tokens.faults.break('token', fault)
    await askAll('hub', site.registry, [site.upstream])
    assert.ok(site.upstream.tokens.requests.length > 0)
    await assertNothingTold(site.registry, [site.upstream])
  })

test('nothing secret is told when the proxy refuses', async () => {
  for (const upstream of upstreams) upstream.heal()
  assert.ok(proxy.passed > 0)
  for (const refusal of ['407 Proxy Authentication Required', '403 Forbidden', '502 Bad Gateway']) {
    proxy.refusal = refusal
    // One that was kept may be used once more.
    await plain.stop()
    await plain.start()
    assert.equal((await askAll('proxied'))[0], '404 MANIFEST_UNKNOWN')
  }
  await assertNothingTold()
})

test('a password has no place in a URL, which is logged', () => {
  for (const remote of [
    { url: 'https://user:password@registry.test' },
    { url: 'https://registry.test', proxy: { url: 'http://user:password@proxy.test:3128' } },
  ])
    assert.throws(
      () => registrySection.parse({ repositories: { hub: { type: 'remote', ...remote } } }),
      /stand in username and password, not in the URL/,
    )
})
