import assert from 'node:assert/strict'
import { cp, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { stringify } from 'yaml'
import { withoutPrograms } from '../helpers/available.ts'
import { command } from '../helpers/command.ts'
import { startDistribution } from '../helpers/distribution.ts'
import { done } from '../helpers/outcome.ts'
import { run } from '../helpers/program.ts'
import { RegistryClient } from '../helpers/registry-client.ts'
import { startTestRegistry, type TestRegistry } from '../helpers/registry.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { descriptor, digestOfBytes, tinyImage, type TinyImage } from '../helpers/tiny-image.ts'
import { startV1Registry } from '../helpers/v1-registry.ts'
import { oneFileTar, V1Storage, v1Step, type V1Step } from '../helpers/v1-storage.ts'

/** A running registry, and `caisson import` beside it. */
async function startImporting() {
  const registry = await startTestRegistry()
  const config = join(registry.dataDirectory, 'caisson.yaml')
  await writeFile(config, stringify({}))
  const bring = (...words: readonly string[]) => command(registry.dataDirectory, 'import', ...words, '--config', config)
  return { registry, bring, [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose]() }
}

interface Pulled {
  readonly digest: string
  readonly config: { readonly history: readonly object[]; readonly rootfs: { readonly diff_ids: readonly string[] } }
  readonly layers: readonly string[]
}

async function pull({ admin }: TestRegistry, image: string, tag: string): Promise<Pulled> {
  const accept = 'application/vnd.docker.distribution.manifest.v2+json'
  const answer = await admin.ask('GET', `${image}/manifests/${tag}`, { headers: { accept } })
  assert.equal(answer.status, 200, answer.body.toString())
  const { config, layers } = answer.json() as { config: { digest: string }; layers: readonly { digest: string }[] }
  const blob = await admin.ask('GET', `${image}/blobs/${config.digest}`)
  for (const { digest } of layers) {
    const { body } = await admin.ask('GET', `${image}/blobs/${digest}`)
    assert.equal(digestOfBytes(body), digest)
  }
  const digest = String(answer.headers['docker-content-digest'])
  return { digest, config: blob.json() as Pulled['config'], layers: layers.map(({ digest }) => digest) }
}

async function writeV1Storage(directory: string): Promise<readonly V1Step[]> {
  const storage = new V1Storage(directory)
  const base = v1Step('base')
  const middle = v1Step('middle', base, 'none')
  const top = v1Step('top', middle)
  await storage.addImage(base)
  await storage.addImage(middle)
  await storage.addImage(top)
  await storage.tag('library/ubuntu', '14.04', base)
  await storage.tag('team/app', '1.0', top)
  return [base, middle, top]
}

test('the storage of a V1 registry is imported: each image a layer, a layer that is no gzip made one', async () => {
  await using site = await startImporting()
  await using old = await temporaryDirectory()
  const steps = await writeV1Storage(old.path)
  const storage = new V1Storage(old.path)
  const lonely = v1Step('lonely')
  // As the first versions kept it.
  await storage.addImage(lonely, `sha256:${'0'.repeat(64)}`)
  await storage.tag('team/corrupt', '1', lonely)
  await storage.tag('team/missing', '1', v1Step('nowhere'))
  await storage.tag('team/_odd', '1', lonely)
  await storage.addImage(v1Step('half'))
  await storage.write(`images/${v1Step('half').id}/_inprogress`, 'true')
  await storage.tag('team/half', '1', v1Step('half'))

  const imported = await site.bring(`docker-registry:${old.path}`, 'docker-local/v1')
  assert.equal(imported.exitCode, 1)
  assert.match(imported.stdout, /^library\/ubuntu:14\.04 -> v1\/library\/ubuntu:14\.04: copied \(2 blobs sent/m)
  assert.match(
    imported.stdout,
    /^team\/corrupt:1 .*failed: the source's image [0-9a-f]{64} is corrupt: JSON and layer are sha256:/m,
  )
  assert.match(imported.stdout, /^team\/missing:1 .*failed: the source has no image /m)
  assert.match(imported.stdout, /^team\/half:1 .*failed: the image [0-9a-f]{64} was never pushed to its end/m)
  assert.match(imported.stdout, /^team\/_odd: failed: no registry of today takes such a name/m)
  assert.match(imported.stderr, /^2 copied \(.*\), 0 already there, 4 failed\n$/)

  const app = await pull(site.registry, 'v1/team/app', '1.0')
  assert.equal(app.layers[0], digestOfBytes(steps[0]?.layer ?? ''))
  assert.deepEqual(
    app.config.rootfs.diff_ids,
    ['base', 'middle', 'top'].map((name) => digestOfBytes(oneFileTar(name, `file of ${name}\n`))),
  )
  assert.equal(app.config.history.length, 3)
  const again = await site.bring(`docker-registry:${old.path}`, 'docker-local/v1', '--image', 'team/app')
  assert.equal(again.stdout, 'team/app:1.0 -> v1/team/app:1.0: already there\n')
})

test('a V1 registry is copied over its API, alone or behind an index, and the layers are read once with a scratch directory', async () => {
  await using site = await startImporting()
  await using old = await temporaryDirectory()
  await writeV1Storage(old.path)
  await using alone = await startV1Registry(old.path, { login: 'old:secret' })
  const password = join(old.path, 'password')
  await writeFile(password, 'secret\n')
  const asOld = ['--source-user', 'old', '--source-password', `file:${password}`, '--source-plain-http']
  const scratch = join(old.path, 'scratch')
  done(await site.bring(`docker-v1://127.0.0.1:${alone.port}`, 'docker-local', ...asOld, '--scratch', scratch))
  await pull(site.registry, 'team/app', '1.0')
  const before = alone.requests.filter((url) => url.endsWith('/layer')).length
  const again = await site.bring(`docker-v1://127.0.0.1:${alone.port}`, 'docker-local', ...asOld, '--scratch', scratch)
  assert.match(again.stderr, /^0 copied \(0 B\), 2 already there, 0 failed\n$/)
  assert.equal(alone.requests.filter((url) => url.endsWith('/layer')).length, before)

  await using index = await startV1Registry(old.path, { login: 'old:secret', standalone: 'False' })
  done(await site.bring(`docker-v1://127.0.0.1:${index.port}/team/app:1.0`, 'docker-local/other', ...asOld))
  assert.deepEqual(await pull(site.registry, 'other', '1.0'), await pull(site.registry, 'team/app', '1.0'))
  const refused = await site.bring(`docker-v1://127.0.0.1:${alone.port}`, 'docker-local', '--source-plain-http')
  assert.match(refused.stderr, /\/v1\/search is answered with 401, without credentials/)
})

test('links that lead out of a storage directory are refused, and what they lead to is not read', async () => {
  await using site = await startImporting()
  await using old = await temporaryDirectory()
  const [base] = await writeV1Storage(old.path)
  await using elsewhere = await temporaryDirectory()
  await writeFile(join(elsewhere.path, 'secret'), 'what nobody is to see')
  const layer = join(old.path, 'images', base?.id ?? '', 'layer')
  await rm(layer)
  await symlink(join(elsewhere.path, 'secret'), layer)
  await rm(join(old.path, 'images', base?.id ?? '', '_checksum'))
  const imported = await site.bring(`docker-registry:${old.path}`, 'docker-local')
  assert.match(imported.stdout, /^library\/ubuntu:14\.04: failed: .*\/layer leads out of the directory/m)
  assert.deepEqual(await site.registry.blobs(), [])

  const v2 = join(old.path, 'docker/registry/v2')
  await mkdir(join(v2, 'repositories/app/_manifests/tags/1/current'), { recursive: true })
  await mkdir(join(v2, 'repositories/other'), { recursive: true })
  await writeFile(join(v2, 'repositories/app/_manifests/tags/1/current/link'), 'sha256:../../../../secret')
  const attacked = await site.bring(`distribution:${old.path}`, 'docker-local')
  assert.match(attacked.stdout, /^app:1: failed: .*current\/link has no digest/m)
})

function saved(config: Buffer, layer: Buffer, more: Readonly<Record<string, Buffer>> = {}) {
  const manifest = [
    { Config: 'config.json', RepoTags: ['registry.example.com/team/app:1.0'], Layers: ['a/layer.tar', 'b/layer.tar'] },
  ]
  return {
    'manifest.json': Buffer.from(JSON.stringify(manifest)),
    'config.json': config,
    'a/layer.tar': layer,
    ...more,
  }
}

/** An archive as programs write it; a link is a path that leads to another. */
async function writeArchive(
  directory: string,
  files: Readonly<Record<string, Buffer>>,
  links: Readonly<Record<string, string>> = {},
) {
  const from = join(directory, 'archive')
  await rm(from, { recursive: true, force: true })
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(from, path, '..'), { recursive: true })
    await writeFile(join(from, path), content)
  }
  for (const [path, to] of Object.entries(links)) {
    await mkdir(join(from, path, '..'), { recursive: true })
    await symlink(to, join(from, path))
  }
  await run('tar', ['-C', from, '-cf', join(directory, 'archive.tar'), '.'])
  return join(directory, 'archive.tar')
}

test('what docker save has written is imported, compressed or not, with layers that are links to others', async () => {
  await using site = await startImporting()
  await using directory = await temporaryDirectory()
  const tar = oneFileTar('greeting', 'hello\n')
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [digestOfBytes(tar), digestOfBytes(tar)] },
    }),
  )
  const archive = await writeArchive(directory.path, saved(config, tar), { 'b/layer.tar': '../a/layer.tar' })
  done(await site.bring(`docker-archive:${archive}`, 'docker-local'))
  const plain = await pull(site.registry, 'team/app', '1.0')
  assert.deepEqual(plain.layers, [digestOfBytes(gzipAnywhere(tar)), digestOfBytes(gzipAnywhere(tar))])

  await writeFile(`${archive}.gz`, gzipSync(await readFile(archive)))
  done(await site.bring(`docker-archive:${archive}.gz`, 'docker-local/renamed:2'))
  assert.equal((await pull(site.registry, 'renamed', '2')).digest, plain.digest)

  const attack = await writeArchive(directory.path, saved(config, tar), { 'b/layer.tar': '/etc/passwd' })
  const refused = await site.bring(`docker-archive:${attack}`, 'docker-local/attack')
  assert.match(refused.stdout, /failed: the archive has no b\/layer\.tar/)
  const corrupt = await writeArchive(
    directory.path,
    saved(config, tar, { 'b/layer.tar': oneFileTar('greeting', 'other\n') }),
  )
  assert.match(
    (await site.bring(`docker-archive:${corrupt}`, 'docker-local/attack')).stdout,
    /failed: the archive's layer b\/layer\.tar is corrupt/,
  )
  await writeFile(join(directory.path, 'no.tar'), 'this is no tar file at all'.repeat(40))
  assert.match(
    (await site.bring(`docker-archive:${join(directory.path, 'no.tar')}`, 'docker-local')).stderr,
    /no\.tar: not a tar file/,
  )
})

function gzipAnywhere(bytes: Buffer): Buffer {
  const packed = gzipSync(bytes, { level: 6 })
  packed[9] = 255
  return packed
}

test('what docker save wrote before docker 1.10 is converted as a V1 registry is', async () => {
  await using site = await startImporting()
  await using directory = await temporaryDirectory()
  const base = v1Step('base', undefined, 'none')
  const top = v1Step('top', base, 'none')
  const files = Object.fromEntries(
    [base, top].flatMap(({ id, json, layer }) => [
      [`${id}/VERSION`, Buffer.from('1.0')],
      [`${id}/json`, Buffer.from(json)],
      [`${id}/layer.tar`, layer],
    ]),
  )
  const repositories = Buffer.from(
    JSON.stringify({ 'team/app': { latest: top.id }, 'Upper/Case': { latest: base.id } }),
  )
  const imported = await site.bring(
    `docker-archive:${await writeArchive(directory.path, { ...files, repositories })}`,
    'docker-local',
  )
  assert.match(imported.stdout, /^team\/app:latest: copied/m)
  assert.match(imported.stdout, /^Upper\/Case:latest: failed: no registry takes such a name/m)
  assert.equal((await pull(site.registry, 'team/app', 'latest')).layers.length, 2)
})

async function writeLayout(
  directory: string,
  images: readonly (readonly [string | undefined, TinyImage])[],
): Promise<void> {
  await mkdir(join(directory, 'blobs/sha256'), { recursive: true })
  const write = (bytes: Buffer) => writeFile(join(directory, 'blobs', digestOfBytes(bytes).replace(':', '/')), bytes)
  for (const [, { manifest, blobs }] of images) await Promise.all([manifest, ...blobs].map(write))
  const manifests = images.map(([name, { mediaType, manifest }]) => ({
    ...descriptor(mediaType, manifest),
    ...(name !== undefined && { annotations: { 'org.opencontainers.image.ref.name': name } }),
  }))
  await writeFile(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }))
  await writeFile(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
}

test('an OCI layout is imported with the names and signatures that are in it; a blob that is corrupt is named', async () => {
  await using site = await startImporting()
  await using directory = await temporaryDirectory()
  const app = tinyImage('app')
  const signature = tinyImage('signature', {
    artifactType: 'application/x',
    subject: descriptor(app.mediaType, app.manifest),
  })
  const layout = join(directory.path, 'layout')
  await writeLayout(layout, [
    ['1.0', app],
    ['docker.io/library/other:2', tinyImage('other')],
    [undefined, signature],
  ])
  done(await site.bring(`oci:${layout}`, 'docker-local/team/app'))
  const head = (image: string, reference: string) => site.registry.admin.ask('HEAD', `${image}/manifests/${reference}`)
  assert.equal((await head('team/app', '1.0')).headers['docker-content-digest'], app.digest)
  assert.equal((await head('team/app/library/other', '2')).status, 200)
  assert.equal((await head('team/app', signature.digest)).status, 200)

  const copy = join(directory.path, 'copy')
  await cp(layout, copy, { recursive: true })
  const [, layer] = app.blobs
  const file = join(copy, 'blobs', digestOfBytes(layer ?? '').replace(':', '/'))
  await rename(file, `${file}.was`)
  await writeFile(file, 'layer of aqp')
  const imported = await site.bring(`oci:${copy}`, 'docker-local/corrupt', '--tag', '1.0')
  assert.equal(imported.exitCode, 1)
  assert.match(
    imported.stdout,
    new RegExp(`failed: the source's blob ${digestOfBytes(layer ?? '')} is corrupt: its 12 bytes are sha256:`),
  )
  assert.deepEqual(await site.registry.uploads(), [])
})

test(
  'the storage of distribution is imported without its program, with images of several platforms',
  { skip: withoutPrograms('docker-registry') },
  async () => {
    await using site = await startImporting()
    await using old = await startDistribution()
    const client = new RegistryClient({ host: '127.0.0.1', port: old.port }, '/v2')
    const [amd64, arm64] = [tinyImage('amd64'), tinyImage('arm64')]
    const manifests = [amd64, arm64].map(({ mediaType, manifest }) => descriptor(mediaType, manifest))
    const mediaType = 'application/vnd.oci.image.index.v1+json'
    const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }))
    const index = { mediaType, manifest, digest: digestOfBytes(manifest), blobs: [] }
    for (const image of [amd64, arm64]) await client.push('team/deep/app', image.digest, image)
    await client.push('team/deep/app', '1.0', index)
    await client.push('hello', 'latest', tinyImage('hello'))
    await client.push('hello', 'deleted', tinyImage('deleted'))
    assert.equal((await client.ask('DELETE', `hello/manifests/${tinyImage('deleted').digest}`)).status, 202)

    const imported = await site.bring(`distribution:${old.storage}`, 'docker-local')
    done(imported)
    assert.match(imported.stderr, /^2 copied/)
    for (const { digest } of [index, amd64, arm64])
      assert.equal((await site.registry.admin.ask('HEAD', `team/deep/app/manifests/${digest}`)).status, 200)
    const empty = await site.bring(`distribution:${site.registry.dataDirectory}`, 'docker-local')
    assert.match(empty.stderr, /is no storage of distribution: it has no docker\/registry\/v2\/repositories/)
  },
)
