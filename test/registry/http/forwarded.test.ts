import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Peers } from '../../../registry/http/peers.ts'
import { locationOf, type RegistryClient } from '../../helpers/registry-client.ts'
import { localV2, startTestRegistry } from '../../helpers/registry.ts'

const registry = await startTestRegistry()
const distrustful = await startTestRegistry({ trustedProxies: ['192.0.2.0/24'] })
after(() => registry[Symbol.asyncDispose]())
after(() => distrustful[Symbol.asyncDispose]())

/** What the docs' nginx file sends for `https://docker.company.com/v2/hello/blobs/uploads/`. */
const forwarded = {
  host: 'docker.company.com',
  'x-forwarded-proto': 'https',
  'x-forwarded-for': '192.0.2.1',
  'x-original-uri': '/v2/hello/blobs/uploads/',
  'x-request-id': 'chosen-by-the-client',
}

async function locationSeenBy(client: RegistryClient): Promise<string> {
  return locationOf(await client.with(forwarded).ask('POST', 'hello/blobs/uploads/'))
}

test('forwarded headers are believed on the socket and of a trusted address', async () => {
  const overTcp = registry.admin.over({ host: '127.0.0.1', port: registry.port })
  for (const client of [registry.admin, overTcp])
    assert.match(
      await locationSeenBy(client),
      /^https:\/\/docker\.company\.com\/v2\/hello\/blobs\/uploads\/[0-9a-f-]+$/,
    )
})

test('of another address they are not, neither in a Location nor in a challenge nor in the log', async () => {
  const stranger = distrustful.admin.over({ host: '127.0.0.1', port: distrustful.port })
  const location = await locationSeenBy(stranger)
  assert.ok(location.startsWith(`http://docker.company.com${localV2}/hello/blobs/uploads/`), location)

  const challenged = await distrustful.anonymous
    .over({ host: '127.0.0.1', port: distrustful.port })
    .with({ 'x-forwarded-host': 'evil.example' })
    .ask('GET', '')
  assert.ok(!String(challenged.headers['www-authenticate']).includes('evil.example'))

  await stranger.with(forwarded).pushBlob('hello', Buffer.from('x'))
  assert.ok(distrustful.log.every(({ requestId }) => requestId !== 'chosen-by-the-client'))
})

test('the docker client finds its way through a proxy: each answer leads on', async () => {
  const client = registry.admin.with({ ...forwarded, 'x-original-uri': '/v2/' })
  const challenge = String((await registry.anonymous.with(forwarded).ask('GET', '')).headers['www-authenticate'])
  assert.equal(challenge, 'Bearer realm="https://docker.company.com/v2/token",service="docker.company.com"')
  assert.equal((await client.ask('GET', 'token')).status, 200)
})

test('a host that could not stand in a URL is refused where a URL is needed', async () => {
  const answer = await registry.admin.ask('POST', 'hello/blobs/uploads/', { headers: { host: 'evil"host' } })
  assert.equal(answer.status, 400)
  assert.equal((await registry.anonymous.ask('GET', '', { headers: { host: 'evil"host' } })).status, 400)
})

test('an entry of trustedProxies that is no address or range is named', () => {
  for (const entry of ['localhost', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '::1/129', ''])
    assert.throws(() => new Peers([entry]), new RegExp(`registry.trustedProxies: "${entry}"`))
  assert.doesNotThrow(() => new Peers(['10.0.0.0/8', '::1', '2001:db8::/32', '127.0.0.1']))
})
