import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { command } from '../helpers/command.ts'
import { startTestRegistry, type TestRegistry } from '../helpers/registry.ts'
import { rot } from '../helpers/rot.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { descriptor, digestOfBytes, ociManifest, tinyImage, type TinyImage } from '../helpers/tiny-image.ts'

const docker = {
  manifest: 'application/vnd.docker.distribution.manifest.v2+json',
  config: 'application/vnd.docker.container.image.v1+json',
  layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
}
const oci = {
  manifest: ociManifest,
  config: 'application/vnd.oci.image.config.v1+json',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  none: 'application/vnd.oci.image.layer.v1.tar',
}

function configOf(contents: readonly string[], more: object = {}): Buffer {
  const rootfs = { type: 'layers', diff_ids: contents.map((content) => digestOfBytes(content)) }
  return Buffer.from(JSON.stringify({ architecture: 'arm64', os: 'linux', variant: 'v8', ...more, rootfs }))
}

function asImage(mediaType: string, body: object, blobs: readonly Buffer[], spaces?: number): TinyImage {
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...body }, undefined, spaces))
  return { mediaType, manifest, digest: digestOfBytes(manifest), blobs }
}

/** As docker pushes what it has built: fields in this order, three spaces. */
function dockerImage(...contents: readonly string[]): TinyImage {
  const labels = { 'org.opencontainers.image.title': 'shop', 'org.opencontainers.image.version': '2.1', other: 'x' }
  const config = configOf(contents, {
    docker_version: '20.10',
    created: '2026-01-02T03:04:05Z',
    config: { Labels: labels },
  })
  const layers = contents.map((content) => gzipSync(content))
  const describe = (mediaType: string, bytes: Buffer) => ({
    mediaType,
    size: bytes.length,
    digest: digestOfBytes(bytes),
  })
  const body = { config: describe(docker.config, config), layers: layers.map((layer) => describe(docker.layer, layer)) }
  return asImage(docker.manifest, body, [config, ...layers], 3)
}

/** As podman, buildah and skopeo push one, with a layer for each way to compress. */
function ociImage(gzip: string, zstd: string, none: string): TinyImage {
  const config = configOf([gzip, zstd, none])
  const layers = [gzipSync(gzip), zstdCompressSync(zstd), Buffer.from(none)]
  const types = [oci.gzip, oci.zstd, oci.none]
  const body = {
    config: descriptor(oci.config, config),
    layers: layers.map((layer, index) => descriptor(types[index] ?? '', layer)),
  }
  return asImage(oci.manifest, body, [config, ...layers])
}

/** Stopped, and its database lost. */
async function loseDatabase(registry: TestRegistry): Promise<void> {
  await registry.running.stop()
  for (const name of await readdir(registry.dataDirectory))
    if (name.startsWith('caisson.db')) await rm(join(registry.dataDirectory, name))
}

function tagOf({ blobs: [config = Buffer.alloc(0)] }: TinyImage): string {
  return digestOfBytes(config).slice('sha256:'.length, 'sha256:'.length + 12)
}

test('images come back from blobs alone, with the digests they had when they were as clients write them', async () => {
  await using registry = await startTestRegistry()
  const images = [dockerImage('one', 'two'), dockerImage(), ociImage('one', 'three', 'four')]
  for (const image of images) await registry.admin.push('team/app', image.digest, image)
  const artifact = Buffer.from('{"of": "no image"}')
  await registry.admin.pushBlob('team/app', artifact)
  await loseDatabase(registry)

  const rebuilt = await command(registry.dataDirectory, 'rebuild')
  assert.deepEqual([rebuilt.exitCode, rebuilt.stderr], [0, ''])
  const told = rebuilt.stdout.split('\n')
  for (const image of images)
    assert.ok(told.some((line) => line.startsWith(`docker-local/rebuilt:${tagOf(image)}  linux/arm64/v8`)))
  assert.match(rebuilt.stdout, /, created 2026-01-02T03:04:05Z, shop, 2\.1\n/)
  assert.match(
    rebuilt.stdout,
    /^\d+ blobs of .* read: 3 images rebuilt, 0 lack layers; 1 blobs belong to none of them/m,
  )

  await registry.restart()
  for (const { digest, manifest, mediaType, ...image } of images) {
    const pulled = await registry.admin.ask(
      'GET',
      `rebuilt/manifests/${tagOf({ digest, manifest, mediaType, ...image })}`,
    )
    assert.deepEqual([pulled.status, pulled.headers['content-type'], pulled.body], [200, mediaType, manifest])
    for (const blob of image.blobs)
      assert.deepEqual((await registry.admin.ask('GET', `rebuilt/blobs/${digestOfBytes(blob)}`)).body, blob)
  }
  assert.equal((await registry.admin.ask('GET', `rebuilt/blobs/${digestOfBytes(artifact)}`)).status, 404)
  assert.ok((await registry.blobs()).includes(digestOfBytes(artifact).slice('sha256:'.length)))
})

test('what cannot come back is told: layers that are missing or damaged, and what belongs to nothing', async () => {
  await using registry = await startTestRegistry()
  const [whole, damaged] = [dockerImage('whole'), dockerImage('damaged')]
  for (const image of [whole, damaged]) await registry.admin.push('app', 'v1', image)
  const lonely = configOf(['never pushed'])
  const cut = gzipSync('cut short').subarray(0, 20)
  const other = [lonely, cut]
  for (const blob of other) await registry.admin.pushBlob('app', blob)
  await loseDatabase(registry)
  const damagedLayer = digestOfBytes(damaged.blobs[1] ?? Buffer.alloc(0))
  await rot(blobFile(registry.dataDirectory, damagedLayer))
  await rm(join(registry.dataDirectory, 'blobs', 'sha512'), { recursive: true })
  const folder = digestOfBytes('no file but a directory')
  await mkdir(blobFile(registry.dataDirectory, folder), { recursive: true })

  const { exitCode, stdout } = await command(registry.dataDirectory, 'rebuild', '--json', '--into', 'docker-local/a/b')
  assert.equal(exitCode, 0)
  const { into, images, incomplete, wrong, unused } = JSON.parse(stdout) as {
    readonly into: unknown
    readonly images: readonly { readonly tag: string; readonly digest: string }[]
    readonly incomplete: readonly { readonly config: string; readonly missing: readonly string[] }[]
    readonly wrong: readonly string[]
    readonly unused: readonly string[]
  }
  assert.deepEqual(into, { repository: 'docker-local', image: 'a/b' })
  assert.deepEqual(
    images.map(({ tag, digest }) => [tag, digest]),
    [[tagOf(whole), whole.digest]],
  )
  assert.deepEqual(
    new Map(incomplete.map(({ config, missing }) => [config, missing])),
    new Map([
      [digestOfBytes(damaged.blobs[0] ?? ''), [digestOfBytes('damaged')]],
      [digestOfBytes(lonely), [digestOfBytes('never pushed')]],
    ]),
  )
  assert.deepEqual([...wrong].sort(), [damagedLayer, folder].sort())
  assert.deepEqual([...unused].sort(), [damaged.blobs[0] ?? '', ...other].map((blob) => digestOfBytes(blob)).sort())
})

test('an image that came back stays, whatever is collected, and the first admin is made anew', async () => {
  const section = { garbageCollection: { grace: '0s', every: '24d' } }
  await using registry = await startTestRegistry({
    ...section,
    repositories: { 'docker-local': { type: 'local', keepUntagged: '0s' } },
  })
  const image = dockerImage('one')
  await registry.admin.push('app', 'v1', image)
  await loseDatabase(registry)
  await command(registry.dataDirectory, 'rebuild')
  await registry.restart()
  assert.deepEqual(await command(registry.dataDirectory, 'user', 'list'), {
    exitCode: 0,
    stdout: 'admin (admin)\n',
    stderr: '',
  })
  for (let round = 0; round < 3; round++)
    assert.equal((await registry.admin.ask('POST', '/artifactory/api/system/storage/gc')).status, 200)
  assert.equal((await registry.admin.ask('GET', `rebuilt/manifests/${image.digest}`)).status, 200)
})

test('a database that is there is not replaced, nor one that a registry has open', async () => {
  await using registry = await startTestRegistry()
  await registry.admin.push('app', 'v1', tinyImage('one'))
  const open = await command(registry.dataDirectory, 'rebuild')
  assert.equal(open.exitCode, 1)
  assert.match(open.stderr, /another caisson works on /)
  await registry.running.stop()
  const there = await command(registry.dataDirectory, 'rebuild')
  assert.equal(there.exitCode, 1)
  assert.match(
    there.stderr,
    /caisson\.db is there, and says more than a rebuild .* to do without this one, move it away/,
  )

  const [file, log] = ['caisson.db', 'caisson.db-wal'].map((name) => join(registry.dataDirectory, name))
  assert.ok(file !== undefined && log !== undefined)
  await rename(file, `${file}.away`)
  await writeFile(log, 'left by a crash')
  assert.match((await command(registry.dataDirectory, 'rebuild')).stderr, /caisson\.db-wal is there/)
  assert.ok(!existsSync(file))
  await rm(log)
  await rename(`${file}.away`, file)
  await registry.restart()
  assert.equal((await registry.admin.ask('GET', 'app/manifests/v1')).status, 200)
})

test('a place that is none is told what was expected', async () => {
  await using directory = await temporaryDirectory()
  const nothing = await command(directory.path, 'rebuild')
  assert.equal(nothing.exitCode, 1)
  assert.match(nothing.stderr, /blobs does not exist: name the directory that has the blobs with --data/)
  const nowhere = await command(directory.path, 'rebuild', '--into', 'docker-hub/app')
  assert.equal(nowhere.exitCode, 1)
  assert.match(
    nowhere.stderr,
    /"docker-hub" is no local repository .*: expected --into <repository>\/<image>, .* docker-local/,
  )
  assert.deepEqual(await readdir(directory.path), [])
})

function blobFile(directory: string, digest: string): string {
  const hex = digest.slice('sha256:'.length)
  return join(directory, 'blobs', 'sha256', hex.slice(0, 2), hex)
}
