import assert from 'node:assert/strict'
import { test } from 'node:test'
import { registrySection } from '../../../registry/config.ts'
import { parseImageName, parseTag } from '../../../registry/domain/names.ts'
import { openRepositories } from '../../../registry/repositories/repositories.ts'
import { sha256 } from '../../contracts/blob-store.ts'
import { temporaryStorage } from './storage.ts'

const byDefault = registrySection.parse({})
const image = parseImageName('app')
const log = { warn: () => {} }

test('repositories are found by their key and listed in the order of the configuration', async () => {
  await using storage = await temporaryStorage()
  const repositories = openRepositories(byDefault, storage, log)
  const keys = ['docker-local', 'docker-v1', 'docker-hub', 'docker']
  assert.deepEqual(
    repositories.list().map(({ key }) => key),
    keys,
  )
  assert.deepEqual(
    keys.map((key) => repositories.find(key)?.kind),
    ['local', 'local', 'remote', 'virtual'],
  )
  for (const key of ['docker-prod', 'Docker', '', '../docker', 'toString', '__proto__'])
    assert.equal(repositories.find(key), undefined)
})

test('a local repository takes pushes', async () => {
  await using storage = await temporaryStorage()
  const local = openRepositories(byDefault, storage, log).find('docker-local')
  assert.equal(await local?.pushTarget?.received(image, await local.pushTarget.begin(image, 'sha256', 'bob')), 0)
})

const unserved = [
  ['docker-v1', 'local (apiVersion v1)'],
  ['docker-hub', 'remote'],
] as const
for (const [key, type] of unserved) {
  test(`whoever uses a ${type} repository is told that it is not served`, async () => {
    await using storage = await temporaryStorage()
    const repository = openRepositories(byDefault, storage, log).find(key)
    assert.ok(repository)
    const refusal = {
      code: 'UNSUPPORTED',
      message: `${key} is a ${type} repository, which this version does not serve`,
    }
    assert.throws(() => repository.pushTarget, refusal)
    await assert.rejects(repository.manifest(image, { tag: parseTag('latest') }), refusal)
    await assert.rejects(repository.blob(image, sha256('')), refusal)
    await assert.rejects(repository.tags(image, undefined, 10), refusal)
    await assert.rejects(repository.images(undefined, 10), refusal)
  })
}

const virtualOf = (members: readonly string[]) => ({ type: 'virtual', members })
const open = (repositories: object, storage: Parameters<typeof openRepositories>[1]) =>
  openRepositories(registrySection.parse({ repositories }), storage, log)

test('a virtual repository may be named before its members, which may be virtual too', async () => {
  await using storage = await temporaryStorage()
  const repositories = open(
    { outer: virtualOf(['inner']), inner: virtualOf(['local']), local: { type: 'local' } },
    storage,
  )
  const target = repositories.find('local')?.pushTarget
  await target?.putManifest(image, { digest: sha256('{}'), mediaType: 'a/b', bytes: Buffer.from('{}') }, [
    parseTag('v1'),
  ])
  assert.deepEqual((await repositories.find('outer')?.tags(image, undefined, 10))?.items, ['v1'])
  assert.deepEqual(
    repositories.list().map(({ key }) => key),
    ['outer', 'inner', 'local'],
  )
})

test('members that are not served are left out', async () => {
  await using storage = await temporaryStorage()
  const repositories = open({ all: virtualOf(['old']), old: { type: 'local', apiVersion: 'v1' } }, storage)
  assert.deepEqual(await repositories.find('all')?.images(undefined, 10), { items: [], next: undefined })
})

test('members that there are not, or that lead back, are refused', async () => {
  await using storage = await temporaryStorage()
  const loop = { a: virtualOf(['b']), b: virtualOf(['c']), c: virtualOf(['b']) }
  assert.throws(() => open(loop, storage), { message: 'members lead back to where they began: a > b > c > b' })
  assert.throws(() => open({ a: virtualOf(['b']) }, storage), {
    message: 'there is no repository "b", which a has as a member',
  })
})
