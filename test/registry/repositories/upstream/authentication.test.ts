import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { FaultyUpstreamOptions } from '../../../helpers/faulty-upstream.ts'
import * as faults from '../../../helpers/upstream/faults.ts'
import { tinyImage } from '../../../helpers/tiny-image.ts'
import { bytesOf, clientOf, digest, failing, image, latest, startUpstream } from './upstreams.ts'

const login = { username: 'us', password: 'a secret word' }
process.env.CAISSON_TEST_UPSTREAM = login.password
process.env.CAISSON_TEST_IDENTITY = 'an identity token'
const asUs = { username: login.username, password: { env: 'CAISSON_TEST_UPSTREAM' } }
const asToken = { token: { env: 'CAISSON_TEST_IDENTITY' } }

test('a password is shown where one is asked for, and from then on at once', async (t) => {
  const { upstream, client } = await upstreamWith(t, { login }, asUs)
  assert.ok(await client.manifest(image, latest))
  assert.ok(await client.manifest(image, latest))
  assert.deepEqual(
    upstream.requests.map(({ headers }) => headers.authorization?.split(' ')[0]),
    [undefined, 'Basic', 'Basic'],
  )
})

test('without credentials, or with wrong ones, one is refused and told which', async (t) => {
  const { upstream, client } = await upstreamWith(t, { login })
  await assert.rejects(client.manifest(image, latest), failing('refused', /401, without credentials/))
  const wrong = await clientOf(t, upstream.url, { ...asUs, username: 'them' })
  await assert.rejects(wrong.client.manifest(image, latest), failing('refused', /401, with credentials/))
  upstream.break('manifest', faults.status(403))
  await assert.rejects(client.manifest(image, latest), failing('refused', /403, without credentials/))
})

test('an identity token is of no use where a password is asked for', async (t) => {
  const { client } = await upstreamWith(t, { login }, asToken)
  await assert.rejects(client.manifest(image, latest), failing('refused', /we have an identity token/))
})

test('a token is fetched with the password, and serves for everything of the image', async (t) => {
  const { upstream, client } = await upstreamWith(t, { tokens: { login, expiresIn: 300 } }, asUs)
  const wanted = digest(upstream.content.blob(image, Buffer.from('a layer')))
  assert.ok(await client.manifest(image, latest))
  assert.equal((await bytesOf(await client.blob(image, wanted, 0))).toString(), 'a layer')
  assert.deepEqual(await client.tags(image), ['latest'])
  assert.equal(upstream.tokens.requests.length, 1)
  assert.match(
    upstream.tokens.requests[0]?.url ?? '',
    /^\/token\?service=upstream&scope=repository%3Alibrary%2Fnginx%3Apull$/,
  )
  assert.ok(upstream.requests.every(({ headers }) => !headers.authorization?.startsWith('Basic')))
})

test('the catalog has a token of its own', async (t) => {
  const { upstream, client } = await upstreamWith(t, { tokens: {} })
  assert.ok(await client.manifest(image, latest))
  assert.deepEqual(await client.images(), [image])
  assert.match(upstream.tokens.requests[1]?.url ?? '', /scope=registry%3Acatalog%3A\*$/)
})

test('an anonymous token is fetched without credentials', async (t) => {
  const { upstream, client } = await upstreamWith(t, { tokens: {} })
  assert.ok(await client.manifest(image, latest))
  assert.equal(upstream.tokens.requests[0]?.headers.authorization, undefined)
})

test('a token is fetched with an identity token by OAuth2', async (t) => {
  const tokens = { identityToken: 'an identity token', login }
  const { upstream, client } = await upstreamWith(t, { tokens }, asToken)
  assert.ok(await client.manifest(image, latest))
  const [{ method, body } = { method: '', body: '' }] = upstream.tokens.requests
  assert.equal(method, 'POST')
  assert.deepEqual(Object.fromEntries(new URLSearchParams(body)), {
    grant_type: 'refresh_token',
    client_id: 'caisson',
    service: 'upstream',
    scope: 'repository:library/nginx:pull',
    refresh_token: 'an identity token',
  })
})

test('fifty who need the same token wait for one', async (t) => {
  const { upstream, client } = await upstreamWith(t, { tokens: { login } }, asUs)
  const held = faults.gate('head')
  upstream.tokens.faults.break('token', held.fault)
  const all = Promise.all(Array.from({ length: 50 }, () => client.manifest(image, latest)))
  await held.reached
  held.open()
  assert.ok((await all).every((manifest) => manifest !== undefined))
  assert.equal(upstream.tokens.requests.length, 1)
})

test('a token is kept until shortly before it expires', async (t) => {
  const lives: readonly (readonly [expiresIn: number | undefined, keptSeconds: number])[] = [
    [undefined, 50],
    [300, 290],
    [10, 8],
  ]
  for (const [expiresIn, kept] of lives) {
    let now = 1_000_000
    const tokens = expiresIn === undefined ? {} : { expiresIn }
    const { upstream, client } = await upstreamWith(t, { tokens }, {}, () => now)
    await client.manifest(image, latest)
    now += 1000 * kept - 1
    await client.manifest(image, latest)
    assert.equal(upstream.tokens.requests.length, 1, `${expiresIn} before`)
    now += 1
    await client.manifest(image, latest)
    assert.equal(upstream.tokens.requests.length, 2, `${expiresIn} after`)
  }
})

test('a token that is good for no time serves those who wait for it', async (t) => {
  const { upstream, client } = await upstreamWith(t, { tokens: { expiresIn: 0 } })
  assert.ok(await client.manifest(image, latest))
  assert.ok(await client.manifest(image, latest))
  assert.equal(upstream.tokens.requests.length, 2)
})

test('a token that expires in the middle is renewed, once for all', async (t) => {
  const { upstream, client } = await upstreamWith(t, { tokens: { login } }, asUs)
  await client.manifest(image, latest)
  upstream.tokens.expireAll()
  const all = await Promise.all(Array.from({ length: 20 }, () => client.manifest(image, latest)))
  assert.ok(all.every((manifest) => manifest !== undefined))
  assert.equal(upstream.tokens.requests.length, 2)
})

test('a 401 to a new token is the answer', async (t) => {
  const { upstream, client } = await upstreamWith(t, { tokens: { login } }, asUs)
  await client.manifest(image, latest)
  const challenge = `Bearer realm="${upstream.tokens.realm}",service="upstream"`
  upstream.break('manifest', faults.status(401, { 'www-authenticate': challenge }))
  await assert.rejects(client.manifest(image, latest), failing('refused', /401, with credentials/))
  assert.equal(upstream.count('GET', 'manifest'), 4)
  assert.equal(upstream.tokens.requests.length, 2)
})

test('a realm of another host is shown no credentials, unless the configuration names it', async (t) => {
  const tokens = { login, address: '127.0.0.2' }
  const { upstream, client } = await upstreamWith(t, { tokens }, asUs)
  await assert.rejects(client.manifest(image, latest), failing('refused', /127\.0\.0\.2:\d+.* name it in tokenRealms/))
  assert.equal(upstream.tokens.requests.length, 0)

  const trusting = await clientOf(t, upstream.url, { ...asUs, tokenRealms: [new URL(upstream.tokens.realm).host] })
  assert.ok(await trusting.client.manifest(image, latest))
})

test('a realm of another host gives anonymous tokens to whoever has no credentials', async (t) => {
  const { client } = await upstreamWith(t, { tokens: { address: '127.0.0.2' } })
  assert.ok(await client.manifest(image, latest))
})

test('credentials do not follow a redirect of the realm to another host', async (t) => {
  const { upstream, client } = await upstreamWith(t, { tokens: { login } }, asUs)
  upstream.tokens.faults.break(
    'token',
    faults.redirected((path) => `${upstream.elsewhere.url}${path}`),
  )
  await assert.rejects(client.manifest(image, latest), failing('wrong'))
  assert.equal(upstream.elsewhere.requests.length, 1)
  assert.equal(upstream.elsewhere.requests[0]?.headers.authorization, undefined)
})

test('a realm that fails is left alone for some seconds', async (t) => {
  let now = 1_000_000
  const { upstream, client } = await upstreamWith(t, { tokens: { login } }, asUs, () => now)
  const failures = [
    [faults.status(500), 'unreachable', /token realm .* answers with 500/],
    [faults.tooMany(), 'limited', /token realm .* answers with 429/],
    [faults.status(401), 'refused', /token realm .* answers with 401 to our credentials/],
    [faults.status(403), 'refused', /token realm .* answers with 403, with credentials/],
    [faults.htmlPage, 'wrong', /without a token/],
    [faults.withBody('{"token":"a b"}'), 'wrong', /without a token/],
    [faults.withBody(`{"token":"${'x'.repeat(2 ** 20)}"}`), 'wrong', /larger/],
    [faults.truncated(5), 'unreachable', /broke off/],
  ] as const
  for (const [fault, kind, message] of failures) {
    upstream.tokens.faults.heal()
    upstream.tokens.faults.break('token', fault)
    const before = upstream.tokens.requests.length
    await assert.rejects(client.manifest(image, latest), failing(kind, message))
    await assert.rejects(client.manifest(image, latest), failing(kind, message))
    assert.equal(upstream.tokens.requests.length, before + 1)
    now += 5000
  }
  upstream.tokens.faults.heal()
  assert.ok(await client.manifest(image, latest))
})

test('an image that is refused does not keep others from their token', async (t) => {
  const { upstream, client } = await upstreamWith(t, { tokens: {} })
  upstream.tokens.faults.break('token', faults.status(401), 1)
  await assert.rejects(client.manifest(image, latest), failing('refused', /without credentials/))
  assert.deepEqual(await client.images(), [image])
})

test('the scope that the upstream asks for counts when it is for reading the same image', async (t) => {
  const { upstream } = await upstreamWith(t, { tokens: {} })
  const challenge = (scope: string) => `Bearer realm="${upstream.tokens.realm}",service="upstream",scope="${scope}"`
  const scopes = [
    ['repository:library/nginx:metadata_read', 'repository:library/nginx:metadata_read'],
    ['repository:library/nginx:pull,push', 'repository:library/nginx:pull'],
    ['repository:library/other:pull', 'repository:library/nginx:pull'],
    ['registry:catalog:*', 'repository:library/nginx:pull'],
  ] as const
  for (const [asked, wanted] of scopes) {
    const fresh = await clientOf(t, upstream.url)
    upstream.break('tags', faults.status(401, { 'www-authenticate': challenge(asked) }))
    await assert.rejects(fresh.client.tags(image), failing('refused'))
    const last = new URL(upstream.tokens.requests.at(-1)?.url ?? '', upstream.tokens.realm)
    assert.equal(last.searchParams.get('scope'), wanted)
    upstream.heal()
  }
})

test('tokens are not fetched when that is turned off: the password is sent at once', async (t) => {
  const { upstream, client } = await upstreamWith(t, { login }, { ...asUs, enableTokenAuthentication: false })
  assert.ok(await client.manifest(image, latest))
  assert.equal(upstream.requests.length, 1)
  const other = await upstreamWith(t, { tokens: { login } }, { ...asUs, enableTokenAuthentication: false })
  await assert.rejects(other.client.manifest(image, latest), failing('refused', /enableTokenAuthentication is off/))
})

test('no secret is in a message', async (t) => {
  const { upstream } = await upstreamWith(t, { tokens: { login } }, asUs)
  const faultsOfRealm = [
    faults.status(401),
    faults.status(500),
    faults.reset('head'),
    faults.htmlPage,
    faults.redirectLoop,
  ]
  for (const fault of faultsOfRealm) {
    upstream.tokens.faults.heal()
    upstream.tokens.faults.break('token', fault)
    const { client } = await clientOf(t, upstream.url, asUs)
    await assert.rejects(client.manifest(image, latest), (error) => {
      const said = `${String(error)} ${JSON.stringify(error)}`
      return !said.includes(login.password) && !said.includes(Buffer.from(`us:${login.password}`).toString('base64'))
    })
  }
})

async function upstreamWith(t: TestContext, options: FaultyUpstreamOptions, settings: object = {}, now = Date.now) {
  const upstream = await startUpstream(t, options)
  upstream.content.push(image, 'latest', tinyImage('a'))
  return { upstream, ...(await clientOf(t, upstream.url, settings, { now })) }
}
