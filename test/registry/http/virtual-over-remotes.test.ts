import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FaultyUpstream } from '../../helpers/faulty-upstream.ts'
import { startTestRegistry } from '../../helpers/registry.ts'
import { digestOfBytes, tinyImage } from '../../helpers/tiny-image.ts'

const image = tinyImage('of the second upstream')
const [config, layer] = image.blobs.map((blob) => digestOfBytes(blob))

/** `all` is docker-local and two remote repositories; the second upstream has `team/app:1`. */
async function setUp() {
  await using opened = new AsyncDisposableStack()
  const first = opened.use(await FaultyUpstream.start())
  const second = opened.use(await FaultyUpstream.start())
  second.content.push('team/app', '1', image)
  const repositories = {
    'docker-local': { type: 'local' },
    first: { type: 'remote', url: first.url, assumedOfflinePeriodSecs: 0 },
    second: { type: 'remote', url: second.url, assumedOfflinePeriodSecs: 0 },
    all: { type: 'virtual', members: ['docker-local', 'first', 'second'], deployTo: 'docker-local' },
  }
  const registry = opened.use(await startTestRegistry({ repositories }))
  const at = '/artifactory/api/docker/all/v2'
  const running = opened.move()
  return {
    first,
    second,
    client: registry.anonymous.at(at),
    admin: registry.admin.at(at),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

test('of an image that one upstream has the others are asked for the tag alone', async () => {
  await using it = await setUp()
  const manifest = await it.client.ask('GET', 'team/app/manifests/1')
  assert.deepEqual([manifest.status, manifest.body], [200, image.manifest])
  for (const [index, blob] of [config, layer].entries()) {
    const answer = await it.client.ask('GET', `team/app/blobs/${blob}`)
    assert.deepEqual([answer.status, answer.body], [200, image.blobs[index]])
  }
  assert.deepEqual(
    it.first.requests.map(({ method, url }) => `${method} ${url}`),
    ['GET /v2/team/app/manifests/1'],
  )
})

test('what is named by its digest alone is found wherever it is, by HEAD too', async () => {
  await using it = await setUp()
  for (const method of ['HEAD', 'GET']) {
    const answer = await it.client.ask(method, `team/app/manifests/${image.digest}`)
    assert.equal(answer.status, 200, method)
  }
})

test('no upstream learns of the layers that somebody pushes', async () => {
  await using it = await setUp()
  const own = tinyImage('of our own')
  for (const blob of own.blobs)
    assert.equal((await it.admin.ask('HEAD', `team/own/blobs/${digestOfBytes(blob)}`)).status, 404)
  await it.admin.push('team/own', '1', own)
  const asked = [it.first, it.second].flatMap(({ requests }) => requests.map(({ url }) => url))
  assert.ok(!asked.some((url) => url.includes('/blobs/')), asked.join(' '))
})

test('a virtual repository is not emptied by its name', async () => {
  await using it = await setUp()
  await it.admin.push('team/own', '1', tinyImage('of our own'))
  const refused = await it.admin.ask('DELETE', '/artifactory/all')
  assert.deepEqual([refused.status, refused.error()], [405, 'UNSUPPORTED'])
  assert.match(refused.body.toString(), /all is a virtual repository, .*: name docker-local to empty that/)
  assert.equal((await it.client.ask('GET', 'team/own/manifests/1')).status, 200)
})

test('with one upstream gone the rest is answered, and what cannot be known says why', async () => {
  await using it = await setUp()
  await it.first.stop()
  assert.equal((await it.client.ask('GET', 'team/app/manifests/1')).status, 200)
  assert.equal((await it.client.ask('GET', `team/app/blobs/${layer}`)).status, 200)
  assert.deepEqual((await it.client.ask('GET', 'team/app/tags/list')).json(), { name: 'team/app', tags: ['1'] })
  const missed = await it.client.ask('GET', 'team/app/manifests/2')
  assert.deepEqual([missed.status, missed.error()], [404, 'MANIFEST_UNKNOWN'])
  assert.match(missed.body.toString(), /not cached here, and .* the connection is refused/)
})
