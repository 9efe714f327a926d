import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { z } from 'zod'
import type { RegistryClient } from '../../helpers/registry-client.ts'
import { addUser, makeToken } from '../../helpers/users.ts'
import { startTestRegistry } from '../../helpers/registry.ts'
import { tinyImage } from '../../helpers/tiny-image.ts'

const api = '/artifactory/api/security/audit'
const registry = await startTestRegistry({
  repositories: { 'docker-local': { type: 'local' }, other: { type: 'local' } },
})
after(() => registry[Symbol.asyncDispose]())
const { admin, anonymous } = registry
const alice = anonymous.as(await addUser(registry, 'alice'))

const answered = z.strictObject({ entries: z.array(z.looseObject({ at: z.iso.datetime(), type: z.string() })) })

async function entries(query = '', client: RegistryClient = admin) {
  const answer = await client.ask('GET', `${api}${query}`)
  assert.equal(answer.status, 200, answer.body.toString())
  return answered.parse(answer.json()).entries
}

async function refusal(query: string): Promise<string> {
  const answer = await admin.ask('GET', `${api}${query}`)
  assert.equal(answer.status, 400)
  return z.object({ errors: z.tuple([z.object({ message: z.string() })]) }).parse(answer.json()).errors[0].message
}

test('it is for admins, with their password', async () => {
  assert.equal((await anonymous.ask('GET', api)).status, 401)
  assert.equal((await alice.ask('GET', api)).status, 403)
  const token = admin.withToken(await admin.token('repository:app:pull,push'))
  assert.equal((await token.ask('GET', api)).status, 401)
})

test('it tells who pushed and deleted what, from where, and of blobs nothing', async () => {
  const image = tinyImage('recorded')
  const from = { 'x-forwarded-for': '198.51.100.1, 203.0.113.9', 'x-request-id': 'one' }
  for (const blob of image.blobs) await alice.pushBlob('team/app', blob)
  assert.equal((await alice.with(from).putManifest('team/app', 'v1', image)).status, 201)
  await admin.with({ 'x-request-id': 'two' }).ask('DELETE', 'team/app/manifests/v1')
  await admin.with({ 'x-request-id': 'three' }).ask('DELETE', `team/app/manifests/${image.digest}`)
  const other = admin.at('/artifactory/api/docker/other/v2')
  await other.push('app', 'v1', image)
  await admin.with({ 'x-request-id': 'four' }).ask('DELETE', '/artifactory/other/app')
  await admin.with({ 'x-request-id': 'five' }).ask('DELETE', '/artifactory/other')

  const [emptied, deleted, pushed, byDigest, byTag, byAlice, ...rest] = (await entries('?type=pushed,deleted')).map(
    ({ at, ...entry }) => {
      assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000)
      return entry
    },
  )
  assert.deepEqual(rest, [])
  const [byAdmin, digest] = [{ type: 'deleted', by: 'admin', with: 'password' }, image.digest]
  const team = { repository: 'docker-local', image: 'team/app' }
  assert.deepEqual(byAlice, {
    type: 'pushed',
    by: 'alice',
    with: 'password',
    address: '203.0.113.9',
    requestId: 'one',
    ...team,
    tags: ['v1'],
    digest,
  })
  assert.deepEqual(byTag, { ...byAdmin, requestId: 'two', ...team, tags: ['v1'] })
  assert.deepEqual(byDigest, { ...byAdmin, requestId: 'three', ...team, digest })
  assert.deepEqual(pushed?.image, 'app')
  assert.deepEqual(deleted, { ...byAdmin, requestId: 'four', repository: 'other', image: 'app' })
  assert.deepEqual(emptied, { ...byAdmin, requestId: 'five', repository: 'other' })
})

test('it tells how whoever pushed has shown who they are', async () => {
  const withToken = alice.withToken(await alice.token('repository:shown/token:pull,push'))
  await withToken.push('shown/token', 'v1', tinyImage('by a token'))
  const access = (await makeToken(registry, 'alice')).token
  await anonymous.as({ name: 'alice', password: access }).push('shown/access', 'v1', tinyImage('by an access token'))
  const shown = async (image: string) =>
    (await entries(`?type=pushed&image=shown/${image}`)).map((entry) => entry['with'])
  assert.deepEqual([await shown('token'), await shown('access')], [['docker token'], ['access']])
})

test('a client that nobody forwards has the address of its connection', async () => {
  await using distrustful = await startTestRegistry({ trustedProxies: [] })
  const stranger = distrustful.admin.over({ host: '127.0.0.1', port: distrustful.port })
  await stranger
    .with({ 'x-forwarded-for': '203.0.113.9', 'x-real-ip': '203.0.113.9' })
    .push('app', 'v1', tinyImage('a'))
  const [entry] = await entries('', distrustful.admin)
  assert.equal(entry?.address, '127.0.0.1')
})

test('it is asked by time, types, user, repository and image, and outlives a restart', async () => {
  await using registry = await startTestRegistry({
    repositories: { 'docker-local': { type: 'local' }, other: { type: 'local' } },
  })
  const { admin } = registry
  await admin.push('app', 'v1', tinyImage('1'))
  await registry.anonymous.as(await addUser(registry, 'alice')).push('app', 'v2', tinyImage('2'))
  await registry.restart()
  await admin.push('team/app', 'v3', tinyImage('3'))
  await admin.at('/artifactory/api/docker/other/v2').push('app', 'v4', tinyImage('4'))
  await admin.ask('DELETE', 'app/manifests/v2')

  const tags = async (query: string) =>
    (await entries(query, admin))
      .filter(({ type }) => type !== 'login')
      .map(({ type, tags }) => (type === 'deleted' ? `no ${String(tags)}` : String(tags)))
  assert.deepEqual(await tags(''), ['no v2', 'v4', 'v3', 'v2', 'v1'])
  assert.deepEqual(await tags('?limit=2'), ['no v2', 'v4'])
  assert.deepEqual(await tags('?type=pushed'), ['v4', 'v3', 'v2', 'v1'])
  assert.deepEqual(await tags('?type=deleted,login&by=admin'), ['no v2'])
  assert.deepEqual(await tags('?by=alice'), ['v2'])
  assert.deepEqual(await tags('?repository=docker-local&type=pushed'), ['v3', 'v2', 'v1'])
  assert.deepEqual(await tags('?image=team%2Fapp'), ['v3'])
  assert.deepEqual(await tags('?image=team/app&from=2020-01-01&to=2100-01-01T00:00:00%2B01:00'), ['v3'])
  const [newest] = await entries('', admin)
  assert.deepEqual(await tags(`?from=${String(newest?.at)}&type=deleted`), ['no v2'])
  const [first, second] = await entries('?type=pushed&by=admin&limit=2', admin)
  assert.deepEqual(await tags(`?type=pushed&by=admin&to=${String(first?.at)}&limit=1`), [String(second?.tags)])
  assert.deepEqual(await tags('?from=2100-01-01'), [])
  assert.deepEqual(await tags('?to=2020-01-01'), [])
  assert.deepEqual(await readdir(join(registry.dataDirectory, 'audit')), ['audit.jsonl'])
})

const someTime = 'expected a time like 2026-11-24T20:31:47Z, or a date like 2026-11-24'
for (const [query, message] of [
  ['?limit=0', 'limit is "0": expected a number from 1 to 1000'],
  ['?limit=1001', 'limit is "1001": expected a number from 1 to 1000'],
  ['?limit=', 'limit is "": expected a number from 1 to 1000'],
  ['?from=yesterday', `from is "yesterday": ${someTime}`],
  ['?from=2026-11-24T20:31:47', `from is "2026-11-24T20:31:47": ${someTime}`],
  ['?to=2026-02-30', `to is "2026-02-30": ${someTime}`],
  ['?to=2026-11-24T25:00Z', `to is "2026-11-24T25:00Z": ${someTime}`],
  ['?from=2026-11-25&to=2026-11-24', 'from is later than to'],
  ['?by=', 'by is "": expected the name of a user'],
  ['?repository=No%20Key', 'repository is "No Key": expected a repository key'],
  ['?image=A', 'image is "A": expected the name of an image, without the repository'],
  ['?by=a&by=b', 'by is there twice: expected it once'],
  ['?user=a', 'unknown parameter "user": expected from, to, type, by, repository, image, limit'],
  ['?constructor=a', 'unknown parameter "constructor": expected from, to, type, by, repository, image, limit'],
] as const)
  test(`${query} is refused with what is expected`, async () => assert.equal(await refusal(query), message))

test('types that there are not are refused with those that there are', async () => {
  for (const types of ['pulled', 'pushed,', 'pushed deleted'])
    assert.match(await refusal(`?type=${encodeURIComponent(types)}`), /expected some of login,login\.failed,.*pushed/)
})

test('logins that come to nothing are counted, and what was counted is recorded when the registry stops', async () => {
  await using registry = await startTestRegistry()
  const token = `csn_${'a'.repeat(16)}_${'b'.repeat(43)}`
  const stranger = registry.anonymous.as({ name: 'alice', password: token })
  for (let time = 0; time < 10; time++) assert.equal((await stranger.ask('GET', '')).status, 401)
  const failures = async () => (await entries('?type=login.failed', registry.admin)).map(({ by, times }) => [by, times])
  assert.deepEqual(await failures(), [['alice', undefined]])
  await registry.restart()
  assert.deepEqual(await failures(), [
    ['alice', 9],
    ['alice', undefined],
  ])
})

test('without a log who asks is told why, and nothing is made', async () => {
  await using without = await startTestRegistry({ audit: { file: 'off' } })
  await without.admin.push('app', 'v1', tinyImage('a'))
  const answer = await without.admin.ask('GET', api)
  assert.deepEqual([answer.status, answer.error()], [405, 'UNSUPPORTED'])
  assert.match(answer.body.toString(), /there is no audit log: audit\.file is off/)
  assert.ok(!(await readdir(without.dataDirectory)).includes('audit'))
})
