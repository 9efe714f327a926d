import assert from 'node:assert/strict'
import { test } from 'node:test'
import pino from 'pino'
import { registrySection } from '../../../registry/config.ts'
import { parseImageName, parseTag } from '../../../registry/domain/names.ts'
import { openMetrics } from '../../../registry/metrics.ts'
import { openRepositories } from '../../../registry/repositories/repositories.ts'
import { sha256 } from '../../contracts/blob-store.ts'
import { temporaryStorage } from './storage.ts'

const byDefault = registrySection.parse({})
const image = parseImageName('app')

async function setUp(config = byDefault) {
  await using opened = new AsyncDisposableStack()
  const storage = opened.use(await temporaryStorage())
  const surroundings = { storage, metrics: openMetrics(storage.metadata), log: pino({ enabled: false }) }
  const repositories = opened.use(await openRepositories(config, surroundings))
  const running = opened.move()
  return { repositories, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

test('repositories are found by their key and listed in the order of the configuration', async () => {
  await using it = await setUp()
  const keys = ['docker-local', 'docker-v1', 'docker-hub', 'docker']
  assert.deepEqual(
    it.repositories.list().map(({ key }) => key),
    keys,
  )
  assert.deepEqual(
    keys.map((key) => it.repositories.find(key)?.kind),
    ['local', 'local', 'remote', 'virtual'],
  )
  for (const key of ['docker-prod', 'Docker', '', '../docker', 'toString', '__proto__'])
    assert.equal(it.repositories.find(key), undefined)
})

test('a remote repository is found by the registry that it caches, the first one of several', async () => {
  const repositories = {
    hub: { type: 'remote', url: 'https://registry-1.docker.io' },
    again: { type: 'remote', url: 'https://registry-1.docker.io' },
    other: { type: 'remote', url: 'https://registry.example.com:5000', namespaces: ['example.com'] },
  }
  await using it = await setUp(registrySection.parse({ repositories }))
  for (const [namespace, key] of [
    ['docker.io', 'hub'],
    ['registry-1.docker.io', 'hub'],
    ['Docker.IO', 'hub'],
    ['example.com', 'other'],
    ['registry.example.com:5000', undefined],
    ['quay.io', undefined],
  ] as const)
    assert.equal(it.repositories.forNamespace(namespace)?.key, key, namespace)
})

test('a local repository takes pushes', async () => {
  await using it = await setUp()
  const local = it.repositories.find('docker-local')
  assert.equal(await local?.pushTarget?.received(image, await local.pushTarget.begin(image, 'sha256', 'bob')), 0)
})

test('a local repository speaks one of the APIs', async () => {
  await using it = await setUp()
  assert.equal(it.repositories.findV1('docker-v1')?.local, it.repositories.find('docker-v1'))
  assert.equal(it.repositories.findV1('docker-local'), undefined)
})

const virtualOf = (members: readonly string[]) => ({ type: 'virtual', members })
const open = (repositories: object) => setUp(registrySection.parse({ repositories }))

test('a virtual repository may be named before its members, which may be virtual too', async () => {
  await using it = await open({ outer: virtualOf(['inner']), inner: virtualOf(['local']), local: { type: 'local' } })
  const target = it.repositories.find('local')?.pushTarget
  await target?.putManifest(image, { digest: sha256('{}'), mediaType: 'a/b', bytes: Buffer.from('{}') }, [
    parseTag('v1'),
  ])
  assert.deepEqual((await it.repositories.find('outer')?.tags(image, undefined, 10))?.items, ['v1'])
  assert.deepEqual(
    it.repositories.list().map(({ key }) => key),
    ['outer', 'inner', 'local'],
  )
})

test('members that speak the V1 API are left out', async () => {
  await using it = await open({ all: virtualOf(['old']), old: { type: 'local', apiVersion: 'v1' } })
  assert.deepEqual(await it.repositories.find('all')?.images(undefined, 10), { items: [], next: undefined })
})

test('members that there are not, or that lead back, are refused', async () => {
  const loop = { a: virtualOf(['b']), b: virtualOf(['c']), c: virtualOf(['b']) }
  await assert.rejects(open(loop), { message: 'members lead back to where they began: a > b > c > b' })
  await assert.rejects(open({ a: virtualOf(['b']) }), {
    message: 'there is no repository "b", which a has as a member',
  })
})
