import assert from 'node:assert/strict'
import { test } from 'node:test'
import { registrySection } from '../../../registry/config.ts'
import { unusedImages } from '../../../registry/jobs/unused-images.ts'
import { openMetrics } from '../../../registry/metrics.ts'
import type { ImageRef } from '../../../registry/storage/metadata-store.ts'
import { sha256 } from '../../contracts/blob-store.ts'
import { ref } from '../../contracts/metadata-store.ts'
import { keepLog } from '../../helpers/kept-log.ts'
import { temporaryStorage } from '../repositories/storage.ts'

const contents = { blobs: [sha256('not here')], entries: [], subject: undefined, artifactType: undefined }
const inHours = (hours: number): Date => new Date(Date.now() + hours * 3_600_000)
const [hub, quay, local] = [ref('hub', 'app'), ref('quay', 'app'), ref('docker-local', 'app')]

async function setUp() {
  const url = 'https://registry.example.com'
  const config = registrySection.parse({
    repositories: {
      hub: { type: 'remote', url, unusedArtifactsCleanupPeriodHours: 24 },
      quay: { type: 'remote', url },
      'docker-local': { type: 'local' },
    },
  })
  const storage = await temporaryStorage()
  const cache = async (of: ImageRef, content: string): Promise<void> => {
    const manifest = { digest: sha256(content), mediaType: 'a/b', bytes: Buffer.from(content) }
    await storage.metadata.cacheManifest(of, manifest, contents, undefined)
  }
  const metrics = openMetrics(storage.metadata)
  const { log, messages } = keepLog()
  const run = (now: Date, signal = new AbortController().signal) =>
    unusedImages(storage.metadata, config, metrics, log, () => now).run(signal)
  return { storage, metrics, messages, cache, run, [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose]() }
}

test('a cache forgets what nobody asked for in its hours; one without hours, and a local repository, nothing', async () => {
  await using it = await setUp()
  const { metadata } = it.storage
  for (const image of [hub, quay, local]) await it.cache(image, 'old')
  await it.cache(hub, 'used')
  await metadata.noteUse(hub, sha256('used'), inHours(2))
  // That it was used may have been noted an hour before it last was.
  await it.run(inHours(24.5))
  assert.ok(await metadata.findManifest(hub, { digest: sha256('old') }))
  await it.run(inHours(25.5))
  assert.equal(await metadata.findManifest(hub, { digest: sha256('old') }), undefined)
  assert.ok(await metadata.findManifest(hub, { digest: sha256('used') }))
  for (const image of [quay, local]) assert.ok(await metadata.findManifest(image, { digest: sha256('old') }))
  assert.deepEqual(it.messages('info'), ['unused manifest removed from the cache'])
  assert.match(await it.metrics.text(), /^caisson_cache_unused_removed_total\{repository="hub"\} 1$/m)
})

test('however many there are, all go in one run; one that is stopped goes on with the next', async () => {
  await using it = await setUp()
  for (let index = 0; index < 120; index++) await it.cache(hub, `${index}`)
  await it.run(inHours(26), AbortSignal.abort())
  assert.match(await it.metrics.text(), /^caisson_cache_unused_removed_total\{repository="hub"\} 50$/m)
  await it.run(inHours(26))
  assert.equal(await it.storage.metadata.hasImage(hub), false)
})
