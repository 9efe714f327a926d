import assert from 'node:assert/strict'
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { stringify } from 'yaml'
import { command } from '../helpers/command.ts'
import { done } from '../helpers/outcome.ts'
import { startTestRegistry, type TestRegistry } from '../helpers/registry.ts'
import { rot } from '../helpers/rot.ts'
import { dockerImage } from '../helpers/schema1-image.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { descriptor, digestOfBytes, type TinyImage } from '../helpers/tiny-image.ts'
import { pushV1, v1Image, type V1TestImage } from '../helpers/v1-client.ts'

/** What nothing holds goes at once, but only when it is asked for. */
const section = {
  garbageCollection: { grace: '0s', every: '24d' },
  repositories: {
    'docker-v1': { type: 'local', apiVersion: 'v1', keepUntagged: '0s' },
    'docker-local': { type: 'local', keepUntagged: '0s' },
  },
}
const base = v1Image('base')
const app = v1Image('app', base)
const today = imageOf(base, app)
const layers = [base, app].map(({ layer }) => digestOfBytes(layer))

/** With the layers of V1 images. */
function imageOf(...images: readonly V1TestImage[]): TinyImage {
  const diffs = images.map(({ layer }) => digestOfBytes(gunzipSync(layer)))
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: diffs } }),
  )
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: dockerImage,
      config: descriptor('application/vnd.docker.container.image.v1+json', config),
      layers: images.map(({ layer }) => descriptor('application/vnd.docker.image.rootfs.diff.tar.gzip', layer)),
    }),
  )
  const blobs = [config, ...images.map(({ layer }) => layer)]
  return { mediaType: dockerImage, manifest, digest: digestOfBytes(manifest), blobs }
}

/** The same two layers by both APIs. */
async function withBoth(): Promise<TestRegistry> {
  const registry = await startTestRegistry(section)
  await writeFile(configOf(registry), stringify({ registry: section }))
  await pushV1(v1Of(registry), 'team/app', '1', [base, app])
  await registry.admin.push('app', '1', today)
  return registry
}

function configOf({ dataDirectory }: TestRegistry): string {
  return join(dataDirectory, 'caisson.yaml')
}

function v1Of({ admin }: TestRegistry) {
  return admin.at('/artifactory/api/docker/docker-v1/v1')
}

function fileOf(directory: string, digest: string): string {
  const hex = digest.slice('sha256:'.length)
  return join(directory, 'blobs', 'sha256', hex.slice(0, 2), hex)
}

async function blobsOf(registry: TestRegistry): Promise<readonly string[]> {
  return (await registry.blobs()).map((hex) => `sha256:${hex}`).sort()
}

async function assertServesV1(registry: TestRegistry): Promise<void> {
  const v1 = v1Of(registry)
  assert.deepEqual((await v1.ask('GET', 'repositories/team/app/tags')).json(), { '1': app.id })
  assert.deepEqual((await v1.ask('GET', `images/${app.id}/ancestry`)).json(), [app.id, base.id])
  for (const { id, json, layer, payload } of [base, app]) {
    const known = await v1.ask('GET', `images/${id}/json`)
    assert.deepEqual([known.status, known.body.toString()], [200, json])
    assert.equal(known.headers['x-docker-checksum-payload'], payload)
    const pulled = await v1.ask('GET', `images/${id}/layer`)
    assert.deepEqual([pulled.status, pulled.body], [200, layer])
  }
}

async function assertServesV2({ admin }: TestRegistry): Promise<void> {
  assert.equal((await admin.ask('GET', 'app/manifests/1')).status, 200)
  for (const blob of today.blobs)
    assert.deepEqual((await admin.ask('GET', `app/blobs/${digestOfBytes(blob)}`)).body, blob)
}

/** The top image, then its parent, what they held, and its bytes: each a round later. */
async function collect({ admin }: TestRegistry): Promise<void> {
  for (const _round of [1, 2, 3, 4, 5])
    assert.equal((await admin.ask('POST', '/artifactory/api/system/storage/gc')).status, 200)
}

test('a layer that both APIs have is one file; deleted in the V1 repository it stays for the other', async () => {
  await using registry = await withBoth()
  assert.deepEqual(await blobsOf(registry), today.blobs.map((blob) => digestOfBytes(blob)).sort())
  for (const digest of layers) assert.equal((await stat(fileOf(registry.dataDirectory, digest))).nlink, 1)

  assert.equal((await v1Of(registry).ask('DELETE', 'repositories/team/app/tags/1')).status, 200)
  const dry = await command(registry.dataDirectory, 'gc', '--dry-run', '--config', configOf(registry))
  assert.match(dry.stdout, new RegExp(`^manifest docker-v1/team/app@${digestOfBytes(app.json)}: no tag`, 'm'))
  assert.match(dry.stdout, /^would remove 1 manifests, 0 blobs from images, and 0 blobs of 0 bytes from the store$/m)
  await collect(registry)
  assert.deepEqual(await blobsOf(registry), today.blobs.map((blob) => digestOfBytes(blob)).sort())
  for (const { id } of [base, app]) assert.equal((await v1Of(registry).ask('GET', `images/${id}/json`)).status, 404)
  await assertServesV2(registry)
  await pushV1(v1Of(registry), 'team/app', '1', [base, app])
  await assertServesV1(registry)
})

test('deleted in the V2 repository it stays for the V1 repository; deleted in both it goes off the disk', async () => {
  await using registry = await withBoth()
  await registry.admin.ask('DELETE', `app/manifests/${today.digest}`)
  await collect(registry)
  assert.deepEqual(await blobsOf(registry), layers.toSorted())
  await assertServesV1(registry)

  await pushV1(v1Of(registry), 'team/app', 'base', [base])
  assert.equal((await v1Of(registry).ask('DELETE', 'repositories/team/app/tags/1')).status, 200)
  await collect(registry)
  assert.deepEqual(await blobsOf(registry), layers.slice(0, 1), 'the base has a tag of its own')
  assert.equal((await v1Of(registry).ask('GET', `images/${base.id}/layer`)).status, 200)

  assert.equal((await v1Of(registry).ask('DELETE', 'repositories/team/app/')).status, 200)
  await collect(registry)
  assert.deepEqual(await blobsOf(registry), [])
})

test('a layer that has rotted is found with its V1 images, kept from clients, and healed by a push', async () => {
  await using registry = await withBoth()
  const data = registry.dataDirectory
  const [, layer = ''] = layers
  await rot(fileOf(data, layer))
  const { exitCode, stdout } = await command(data, 'scrub', '--config', configOf(registry))
  assert.equal(exitCode, 1)
  const [first, ...holders] = stdout.split('\n').slice(0, 3)
  assert.equal(first, `blob ${layer} of ${app.layer.length} bytes: wrong bytes, now in quarantine`)
  assert.deepEqual(holders, [
    `  docker-local/app@${today.digest}, tagged 1`,
    `  docker-v1/team/app@${digestOfBytes(app.json)}, tagged 1`,
  ])
  assert.equal((await v1Of(registry).ask('GET', `images/${app.id}/layer`)).status, 404)

  await pushV1(v1Of(registry), 'team/app', '1', [base, app])
  await assertServesV1(registry)
  await assertServesV2(registry)
  done(await command(data, 'scrub', '--config', configOf(registry)))
})

test('a backup, restored elsewhere, serves the V1 images, and more can be pushed on top of them', async () => {
  await using opened = new AsyncDisposableStack()
  const registry = opened.use(await withBoth())
  const { path } = opened.use(await temporaryDirectory())
  const [backup, elsewhere] = [join(path, 'backup'), join(path, 'elsewhere')]
  done(await command(registry.dataDirectory, 'backup', backup, '--config', configOf(registry)))
  done(await command(elsewhere, 'restore', backup, '--verify'))

  const there = opened.use(await startTestRegistry(section, elsewhere))
  await assertServesV1(there)
  await assertServesV2(there)
  await pushV1(v1Of(there), 'team/app', '2', [base, app, v1Image('more', app)])
  assert.equal((await v1Of(there).ask('GET', `images/${v1Image('more', app).id}/layer`)).status, 200)
})
