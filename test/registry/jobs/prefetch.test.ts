import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../../helpers/eventually.ts'
import { FaultyUpstream } from '../../helpers/faulty-upstream.ts'
import { startTestRegistry, type TestRegistry } from '../../helpers/registry.ts'
import { digestOfBytes, tinyImage } from '../../helpers/tiny-image.ts'
import { gate, otherBytes } from '../../helpers/upstream/faults.ts'

const image = tinyImage('one')

async function prefetching(upstream: FaultyUpstream, ...tags: readonly string[]): Promise<TestRegistry> {
  const settings = { socketTimeoutMillis: 600_000, assumedOfflinePeriodSecs: 0 }
  const hub = { type: 'remote', url: upstream.url, ...settings, prefetch: [{ image: 'team/app', tags, every: '1ms' }] }
  return startTestRegistry({ repositories: { hub } })
}

const told = (registry: TestRegistry, message: string) => () => registry.log.some(({ msg }) => msg === message)

test('what the configuration names is here before anybody asks', async () => {
  await using upstream = await FaultyUpstream.start()
  upstream.content.push('team/app', '1.0', image)
  upstream.content.push('team/app', 'latest', tinyImage('another'))
  await using registry = await prefetching(upstream, '1.*')
  await eventually('the image is here', async () => told(registry, 'prefetched')())
  await upstream.stop()
  const client = registry.anonymous.at('/artifactory/api/docker/hub/v2')
  assert.equal((await client.ask('GET', 'team/app/manifests/1.0')).status, 200)
  for (const blob of image.blobs)
    assert.ok((await client.ask('GET', `team/app/blobs/${digestOfBytes(blob)}`)).body.equals(blob))
  assert.equal((await client.ask('GET', 'team/app/manifests/latest')).status, 404)
})

test('what comes wrong is told, and fetched again', async () => {
  await using upstream = await FaultyUpstream.start()
  upstream.content.push('team/app', '1', image)
  upstream.break('blob', otherBytes)
  await using registry = await prefetching(upstream, '1')
  const failed = told(registry, 'not all could be prefetched; it is tried again')
  await eventually('that it came wrong is told', async () => failed())
  upstream.heal()
  await eventually('the image is here', async () => told(registry, 'prefetched')())
  assert.equal(told(registry, 'a job failed; it is tried again')(), false)
})

test('a registry that stops does not wait for what is prefetched', async () => {
  await using upstream = await FaultyUpstream.start()
  upstream.content.push('team/app', '1', image)
  const stuck = gate(1)
  upstream.break('blob', stuck.fault)
  await using registry = await prefetching(upstream, '1')
  await stuck.reached
  await registry.restart()
  stuck.open()
})
