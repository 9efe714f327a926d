import assert from 'node:assert/strict'
import { mkdir, rm, rmdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import pino from 'pino'
import { registrySection } from '../../../registry/config.ts'
import {
  collectionRules,
  GarbageCollection,
  type CollectionSummary,
} from '../../../registry/jobs/garbage-collection.ts'
import { openMetrics } from '../../../registry/metrics.ts'
import { allOf, keep, sha256 } from '../../contracts/blob-store.ts'
import { keyOf, ref } from '../../contracts/metadata-store.ts'
import { temporaryStorage } from '../repositories/storage.ts'

const app = ref('docker-local', 'app')

/** Collects at once what nothing holds. */
async function startCollecting(options: Readonly<Record<string, string>> = {}) {
  const config = registrySection.parse({ garbageCollection: { grace: '0s', ...options } })
  const storage = await temporaryStorage()
  const metrics = openMetrics(storage.metadata)
  const lines: Record<string, unknown>[] = []
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>)
  const garbage = new GarbageCollection(storage, config, metrics, pino({ level: 'info' }, { write }))
  return { ...storage, metrics, lines, garbage }
}

const nothing = { manifests: 0, links: 0, blobs: 0, bytes: 0 }

function plus(sum: typeof nothing, { manifests, links, blobs, bytes }: CollectionSummary): typeof nothing {
  return {
    manifests: sum.manifests + manifests,
    links: sum.links + links,
    blobs: sum.blobs + blobs,
    bytes: sum.bytes + bytes,
  }
}

/** What was taken from an image goes off the disk a round later. */
async function collectAll(garbage: GarbageCollection): Promise<typeof nothing> {
  const rounds = [await garbage.collect(), await garbage.collect()]
  return rounds.reduce(plus, nothing)
}

test('the rules come from the configuration: local repositories alone, and for ever has no end', () => {
  const rules = collectionRules(
    registrySection.parse({
      garbageCollection: { grace: '2h' },
      repositories: {
        usual: { type: 'local' },
        kept: { type: 'local', keepUntagged: 'forever' },
        hub: { type: 'remote', url: 'https://registry-1.docker.io' },
        all: { type: 'virtual', members: ['usual', 'hub'] },
      },
    }),
  )
  assert.equal(rules.graceMs, 7_200_000)
  assert.deepEqual(
    [...rules.keepUntaggedMs],
    [
      [keyOf('usual'), 604_800_000],
      [keyOf('kept'), Infinity],
    ],
  )
})

test('a round tells what it removed, counts it and logs it; one that removes nothing is not worth a line', async () => {
  await using collecting = await startCollecting()
  const { garbage, metadata, blobs, metrics, lines } = collecting
  await metadata.linkBlob(app, await keep(blobs, 'hello'), 5)
  const removed = { manifests: 0, links: 1, blobs: 1, bytes: 5 }
  assert.deepEqual(await collectAll(garbage), removed)
  assert.deepEqual(await allOf(blobs.listBlobs()), [])
  const told = lines.length
  assert.deepEqual(await collectAll(garbage), nothing)
  assert.equal(lines.length, told)
  const summaries = lines.filter(({ msg }) => msg === 'garbage collected') as unknown as readonly CollectionSummary[]
  assert.deepEqual(summaries.reduce(plus, nothing), removed)
  const text = await metrics.text()
  for (const line of [
    'caisson_garbage_collected_total{kind="manifest"} 0',
    'caisson_garbage_collected_total{kind="link"} 1',
    'caisson_garbage_collected_total{kind="blob"} 1',
    'caisson_garbage_collected_bytes_total 5',
    'caisson_garbage_collection_failures_total 0',
    'caisson_garbage_reviews{kind="blobs"} 0',
  ])
    assert.ok(text.includes(`${line}\n`), `${line} in\n${text}`)
  assert.match(text, /^caisson_garbage_collection_seconds_total 0\.\d+$/m)
})

test('rounds that are asked for at once come one after another, and what one removes the next one does not find', async () => {
  await using collecting = await startCollecting()
  const { garbage, metadata, blobs } = collecting
  for (const content of ['one', 'two', 'three'])
    await metadata.linkBlob(app, await keep(blobs, content), content.length)
  const rounds = await Promise.all([garbage.collect(), garbage.collect(), garbage.collect()])
  assert.deepEqual(rounds.reduce(plus, nothing), { manifests: 0, links: 3, blobs: 3, bytes: 11 })
})

test('a blob that cannot be deleted is logged and counted, hinders no other, and goes when it can', async () => {
  await using collecting = await startCollecting()
  const { garbage, metadata, blobs, metrics, lines } = collecting
  const stuck = await keep(blobs, 'stuck')
  for (const digest of [stuck, await keep(blobs, 'loose')]) await metadata.linkBlob(app, digest, 5)
  const file = blobs.path(stuck) ?? ''
  await rm(file)
  await mkdir(file) // is no file, and so cannot be unlinked

  assert.deepEqual(await collectAll(garbage), { manifests: 0, links: 2, blobs: 1, bytes: 5 })
  const [failure] = lines.filter(({ msg }) => msg === 'a blob could not be deleted')
  assert.equal(failure?.digest, stuck)
  assert.match(await metrics.text(), /^caisson_garbage_collection_failures_total [1-9]$/m)
  assert.deepEqual(await allOf(blobs.listBlobs()), [stuck])
  await rmdir(file)
  assert.deepEqual(await collectAll(garbage), { ...nothing, blobs: 1, bytes: 5 })
})

test('what it does by itself: garbage as often as configured, abandoned uploads at least every hour', async () => {
  await using collecting = await startCollecting({ every: '5m', abandonedUploads: '2d' })
  assert.deepEqual(
    collecting.garbage.jobs.map(({ name, everyMs }) => [name, everyMs]),
    [
      ['garbage collection', 300_000],
      ['upload expiry', 3_600_000],
    ],
  )
  await using soon = await startCollecting({ abandonedUploads: '1h' })
  const id = await soon.blobs.begin('sha256')
  await soon.metadata.addUpload(app, id)
  const yesterday = new Date(Date.now() - 86_400_000)
  await utimes(join(soon.directory, 'uploads', id), yesterday, yesterday)
  const [, expiry] = soon.garbage.jobs
  await expiry?.run(new AbortController().signal)
  assert.deepEqual(await allOf(soon.blobs.listUploads()), [])
  assert.match(await soon.metrics.text(), /^caisson_uploads_expired_total 1$/m)
  assert.deepEqual([soon.lines[0]?.msg, soon.lines[0]?.uploads], ['abandoned uploads were removed', 1])
})

test('a blob that was fetched goes unless a cached manifest names it, whatever else that names and is not here', async () => {
  await using it = await startCollecting()
  const hub = ref('hub', 'app')
  for (const content of ['named', 'unnamed']) {
    const digest = await keep(it.blobs, content)
    await it.metadata.linkBlob(hub, digest, content.length)
  }
  const manifest = { digest: sha256('manifest'), mediaType: 'a/b', bytes: Buffer.from('manifest') }
  const contents = { blobs: [sha256('named'), sha256('never fetched')], entries: [sha256('nor this')] }
  await it.metadata.cacheManifest(
    hub,
    manifest,
    { ...contents, subject: undefined, artifactType: undefined },
    undefined,
  )
  assert.partialDeepStrictEqual(await collectAll(it.garbage), { manifests: 0, links: 1 })
  assert.ok(await it.metadata.findBlob(hub, sha256('named')))
  assert.equal(await it.metadata.findBlob(hub, sha256('unnamed')), undefined)
  assert.ok(await it.metadata.findManifest(hub, manifest))

  await it.metadata.uncacheManifest(hub, manifest)
  assert.partialDeepStrictEqual(await collectAll(it.garbage), { manifests: 0, links: 1 })
  assert.equal(await it.metadata.hasImage(hub), false)
})
