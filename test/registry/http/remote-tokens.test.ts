import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { openBrokenUpstreamSite, v2Of } from '../../helpers/broken-upstream-site.ts'
import { pullOutcome, wordsFor } from '../../helpers/pull-outcome.ts'
import { requestFailures } from '../../helpers/request-failures.ts'
import { digestOfBytes, tinyImage } from '../../helpers/tiny-image.ts'
import {
  dripping,
  htmlPage,
  redirected,
  reset,
  stalled,
  status,
  tooMany,
  withBody,
  type Fault,
} from '../../helpers/upstream/faults.ts'

const login = { username: 'us', password: 'secret-of-the-upstream' }
process.env.CAISSON_TEST_REMOTE_TOKENS = login.password
const remote = { username: login.username, password: { env: 'CAISSON_TEST_REMOTE_TOKENS' } }
const image = tinyImage('one')
const size = 1_000_000

async function setUp() {
  const site = await openBrokenUpstreamSite({ upstream: { tokens: { login } }, remote })
  site.upstream.content.push('team/app', '1', image)
  const layer = await site.upstream.content.pattern('team/app', size)
  const pull = (path: string) => pullOutcome(site.registry.socket, `${v2Of('hub')}/team/app/${path}`)
  return { site, layer, pull }
}

const broken: Readonly<Record<string, Fault>> = {
  'says nothing': stalled('head'),
  'stops in the middle': stalled(3),
  drips: dripping(1, 100),
  'breaks off': reset(3),
  'answers 500': status(500),
  'answers 429': tooMany('1'),
  'answers 403': status(403),
  'answers a page': htmlPage,
  'answers no token': withBody('{"token":""}'),
  'answers a token that is none': withBody(JSON.stringify({ token: 'two\r\nlines' })),
  'answers JSON that nests deep': withBody('['.repeat(30_000)),
  'answers without end': withBody('x'.repeat(3_000_000)),
  'redirects for ever': redirected((path) => path),
}

for (const [title, fault] of Object.entries(broken))
  test(`a token server that ${title} is a failure with a reason, and what is cached stays`, async () => {
    const { site, layer, pull } = await setUp()
    await using _site = site
    const { upstream, registry } = site
    assert.equal(wordsFor(await pull('manifests/1')), '200 MISS')
    upstream.tokens.expireAll()
    upstream.tokens.faults.break('token', fault)
    assert.equal(wordsFor(await pull('manifests/1')), '200 STALE')
    assert.equal(wordsFor(await pull(`manifests/${image.digest}`)), '200 HIT')
    assert.match(wordsFor(await pull('manifests/2')), /^(404 MANIFEST_UNKNOWN|429 TOOMANYREQUESTS)$/)
    assert.match(wordsFor(await pull(`blobs/${layer}`)), /^(404 BLOB_UNKNOWN|429 TOOMANYREQUESTS)$/)
    assert.deepEqual(requestFailures(registry), [])
  })

test('a token server that has failed is left alone for some seconds, and then asked again', async () => {
  const { site, pull } = await setUp()
  await using _site = site
  const { upstream } = site
  upstream.tokens.faults.break('token', status(500), 1)
  for (let attempt = 1; wordsFor(await pull('manifests/1')) !== '200 MISS'; attempt++) {
    assert.ok(attempt < 100)
    await pause(100)
  }
  assert.equal(upstream.tokens.requests.length, 2)
})

test('a token server that redirects to another host shows it no password', async () => {
  const { site, pull } = await setUp()
  await using _site = site
  const { upstream } = site
  upstream.tokens.faults.break(
    'token',
    redirected((path) => `${upstream.elsewhere.url}${path}`),
  )
  assert.equal(wordsFor(await pull('manifests/1')), '404 MANIFEST_UNKNOWN')
  assert.equal(upstream.elsewhere.requests.length, 1)
  assert.ok(upstream.elsewhere.requests.every(({ headers }) => headers.authorization === undefined))
})

test('a token that expires in the middle of a pull is replaced, once for all who pull', async () => {
  const { site, layer, pull } = await setUp()
  await using _site = site
  const { upstream } = site
  let broken = 0
  upstream.break('blob', (answer, path) => {
    if (answer.status !== 200 || broken++ > 0) return answer
    upstream.tokens.expireAll()
    return reset(600_000)(answer, path)
  })
  const given = () => upstream.tokens.requests.length
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => pull(`blobs/${layer}`)))
  for (const outcome of outcomes) assert.deepEqual([outcome.status, digestOfBytes(outcome.body)], [200, layer])
  assert.equal(given(), 2)

  upstream.tokens.expireAll()
  const manifests = await Promise.all(Array.from({ length: 8 }, () => pull('manifests/1')))
  for (const outcome of manifests) assert.match(wordsFor(outcome), /^200 (MISS|HIT)$/)
  assert.equal(given(), 3)
})

test('an upstream that takes no token however new is not asked for ever', async () => {
  const { site, pull } = await setUp()
  await using _site = site
  const { upstream } = site
  const challenge = `Bearer realm="${upstream.tokens.realm}",service="upstream",scope="repository:team/app:pull"`
  upstream.break('manifest', status(401, { 'www-authenticate': challenge }))
  assert.equal(wordsFor(await pull('manifests/1')), '404 MANIFEST_UNKNOWN')
  assert.ok(upstream.count('GET', 'manifest') <= 2)
  assert.ok(upstream.tokens.requests.length <= 2)
})
