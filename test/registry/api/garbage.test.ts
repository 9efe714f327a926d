import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { z } from 'zod'
import { startTestRegistry } from '../../helpers/registry.ts'
import { addUser } from '../../helpers/users.ts'
import { tinyImage } from '../../helpers/tiny-image.ts'

/** Garbage is collected when a test asks for it, and then all of it. */
const registry = await startTestRegistry({
  garbageCollection: { grace: '0s', every: '24d' },
  repositories: {
    'docker-local': { type: 'local', keepUntagged: '0s' },
    kept: { type: 'local', keepUntagged: 'forever' },
  },
})
after(() => registry[Symbol.asyncDispose]())
const api = '/artifactory/api'
const number = z.number()
const summary = z.strictObject({ manifests: number, links: number, blobs: number, bytes: number, seconds: number })
const [admin, anonymous] = [registry.admin, registry.anonymous]
const alice = anonymous.as(await addUser(registry, 'alice'))

for (const [method, path] of [
  ['POST', 'system/storage/gc'],
  ['GET', 'v1/metrics'],
] as const)
  test(`${method} ${path} is for admins, with their password`, async () => {
    const asked = await anonymous.ask(method, `${api}/${path}`)
    assert.equal(asked.status, 401)
    assert.equal(asked.headers['www-authenticate'], 'Basic realm="Caisson"')
    assert.equal((await anonymous.as({ name: 'admin', password: 'wrong' }).ask(method, `${api}/${path}`)).status, 401)
    const token = admin.withToken(await admin.token('repository:app:pull,push'))
    assert.equal((await token.ask(method, `${api}/${path}`)).status, 401)
    const refused = await alice.ask(method, `${api}/${path}`)
    assert.equal(refused.status, 403)
    assert.equal(refused.headers['www-authenticate'], undefined)
    assert.match(refused.body.toString(), /alice is no admin/)
  })

test('a round that an admin asks for tells what it removed, and the metrics count it', async () => {
  const image = tinyImage('collected')
  await admin.push('app', 'v1', image)
  await admin.push('app', 'v2', tinyImage('stays'))
  const kept = admin.at(`${api}/docker/kept/v2`)
  await kept.push('app', 'v1', tinyImage('kept without tag'))
  for (const client of [admin, kept]) assert.equal((await client.ask('DELETE', 'app/manifests/v1')).status, 202)

  const bytes = image.blobs.reduce((sum, { length }) => sum + length, 0)
  assert.deepEqual(await collectAll(), { manifests: 1, links: 2, blobs: 2, bytes })
  assert.deepEqual(await collectAll(), { manifests: 0, links: 0, blobs: 0, bytes: 0 })
  assert.equal((await registry.blobs()).length, 4)
  assert.equal((await anonymous.ask('GET', 'app/manifests/v2')).status, 200)
  assert.equal((await anonymous.ask('GET', `app/manifests/${image.digest}`)).status, 404)

  const told = registry.log.filter(({ msg }) => msg === 'manifest collected')
  assert.deepEqual(
    told.map(({ repository, image, digest }) => ({ repository, image, digest })),
    [{ repository: 'docker-local', image: 'app', digest: image.digest }],
  )

  const metrics = await admin.ask('GET', `${api}/v1/metrics`)
  assert.equal(metrics.status, 200)
  assert.equal(metrics.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
  const text = metrics.body.toString()
  for (const [name, value] of [
    ['caisson_garbage_collected_total{kind="manifest"}', 1],
    ['caisson_garbage_collected_total{kind="link"}', 2],
    ['caisson_garbage_collected_total{kind="blob"}', 2],
    ['caisson_garbage_collected_bytes_total', bytes],
    ['caisson_garbage_collection_failures_total', 0],
    ['caisson_uploads_expired_total', 0],
    ['caisson_garbage_reviews{kind="manifests"}', 1],
  ] as const)
    assert.ok(text.includes(`${name} ${value}\n`), `${name} ${value} in\n${text}`)
})

/** What a manifest held goes a round later, and its bytes another round later. */
async function collectAll(): Promise<unknown> {
  const sum = { manifests: 0, links: 0, blobs: 0, bytes: 0 }
  for (let round = 0; round < 3; round++) {
    const answer = await admin.ask('POST', `${api}/system/storage/gc`)
    assert.equal(answer.status, 200)
    const { seconds, ...removed } = summary.parse(answer.json())
    assert.ok(seconds > 0)
    for (const kind of ['manifests', 'links', 'blobs', 'bytes'] as const) sum[kind] += removed[kind]
  }
  return sum
}
