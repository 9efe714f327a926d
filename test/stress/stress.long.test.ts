import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { randomNumbers } from '../crash/random-numbers.ts'
import { adminOf, startCaisson, usualConfig, type Caisson } from '../helpers/caisson.ts'
import type { RegistryClient } from '../helpers/registry-client.ts'
import { clientNumbers, StressClient, type Deed } from './stress-client.ts'

/** By hand: STRESS_SECONDS=300 npm test -- --long stress */
const seconds = Number(process.env.STRESS_SECONDS ?? 30)
const seed = Number(process.env.STRESS_SEED ?? 1)
const graceMs = 3000
const abandonedMs = 10_000
/** An index, its entry, what refers to that, its blob in the image and its bytes go one after the other. */
const longestChain = 5

const registry = {
  garbageCollection: { grace: `${graceMs}ms`, every: '5ms', abandonedUploads: `${abandonedMs}ms` },
  repositories: { 'docker-local': { type: 'local', keepUntagged: '0s' } },
  limits: { freeSpace: '0B' },
}

test('clients push, pull and delete the same content while garbage is collected without a pause: nothing is lost, and in the end nothing is left', async (t) => {
  await using caisson = await startCaisson({ config: { ...(usualConfig() as object), registry } })
  const admin = await adminOf(caisson)
  const clients = await Promise.all(
    clientNumbers.map(
      async (number) =>
        new StressClient(await adminOf(caisson), number, graceMs, randomNumbers(seed * clientNumbers.length + number)),
    ),
  )
  await workFor(seconds * 1000, clients)
  const verified = await Promise.all(clients.map((client) => client.verify()))
  const collectedMeanwhile = await collectedBy(admin)

  await Promise.all(clients.map((client) => client.deleteEverything()))
  const deleted = performance.now()
  await untilNothingWaits(admin)
  await untilEmpty(join(caisson.dataDirectory, 'uploads'))
  const emptied = performance.now() - deleted
  assert.deepEqual(await filesBelow(join(caisson.dataDirectory, 'blobs')), [])
  await caisson.stop()
  assert.deepEqual(rowsIn(caisson), [])
  assert.doesNotMatch(caisson.log(), /"level":(50|60)/)

  for (const [deed, times] of sumOf(clients)) t.diagnostic(`${deed}: ${times}`)
  t.diagnostic(`tags pulled whole in the end: ${verified.reduce((sum, tags) => sum + tags, 0)}`)
  t.diagnostic(`collected meanwhile: ${collectedMeanwhile}`)
  t.diagnostic(`empty after ${(emptied / graceMs).toFixed(1)} times of grace`)
})

/** What one of them finds wrong ends the work of all. */
async function workFor(ms: number, clients: readonly StressClient[]): Promise<void> {
  const failed = new AbortController()
  const stop = AbortSignal.any([AbortSignal.timeout(ms), failed.signal])
  const ended = await Promise.allSettled(
    clients.map(async (client) => {
      try {
        await client.work(stop)
      } catch (error) {
        failed.abort()
        throw error
      }
    }),
  )
  const reasons = ended.flatMap((it): unknown[] => (it.status === 'rejected' ? [it.reason] : []))
  if (reasons.length > 0)
    throw new AggregateError(reasons, `with STRESS_SEED=${seed}: ${reasons.map(String).join('\n')}`)
}

async function metricsOf(admin: RegistryClient): Promise<string> {
  const answer = await admin.ask('GET', '/artifactory/api/v1/metrics')
  assert.equal(answer.status, 200)
  return answer.body.toString()
}

async function collectedBy(admin: RegistryClient): Promise<string> {
  const counted = /^caisson_(?:garbage_collected|garbage_collection|uploads_expired)\S* \S+$/gm
  return ((await metricsOf(admin)).match(counted) ?? []).join(', ')
}

async function untilNothingWaits(admin: RegistryClient): Promise<void> {
  const deadline = performance.now() + (longestChain + 3) * graceMs
  for (;;) {
    const waiting = [...(await metricsOf(admin)).matchAll(/^caisson_garbage_reviews\S* (\d+)$/gm)]
    assert.equal(waiting.length, 3)
    if (waiting.every(([, reviews]) => reviews === '0')) break
    assert.ok(performance.now() < deadline, waiting.map(([line]) => line).join(', '))
    await setTimeout(100)
  }
  // What is being deleted waits no longer; the next round begins when that has been done.
  assert.equal((await admin.ask('POST', '/artifactory/api/system/storage/gc')).status, 200)
}

async function untilEmpty(directory: string): Promise<void> {
  const deadline = performance.now() + 3 * abandonedMs
  while ((await filesBelow(directory)).length > 0) {
    assert.ok(performance.now() < deadline, `${directory} is not empty`)
    await setTimeout(100)
  }
}

async function filesBelow(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
}

/** What is left in the tables of images, of an image that is no longer there. */
function rowsIn({ dataDirectory }: Caisson): readonly unknown[] {
  using database = new DatabaseSync(join(dataDirectory, 'caisson.db'), { readOnly: true })
  const tables = ['images', 'tags', 'manifests', 'manifest_references', 'image_blobs', 'blobs', 'uploads'] as const
  const queues = ['manifest_reviews', 'link_reviews', 'blob_reviews'] as const
  return [
    ...[...tables, ...queues].flatMap((table) =>
      database.prepare(`select '${table}' as table_, * from ${table}`).all(),
    ),
    ...database.prepare('select * from repository_usage where bytes <> 0').all(),
  ]
}

function sumOf(clients: readonly StressClient[]): ReadonlyMap<Deed, number> {
  const sum = new Map<Deed, number>()
  for (const { done } of clients) for (const [deed, times] of done) sum.set(deed, (sum.get(deed) ?? 0) + times)
  return new Map([...sum].sort(([one], [other]) => one.localeCompare(other)))
}
