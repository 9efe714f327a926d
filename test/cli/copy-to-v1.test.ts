import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { layeredImage, type LayeredImage } from '../helpers/layered-image.ts'
import { openOldDockerSite } from '../helpers/old-docker-site.ts'
import { done, refused } from '../helpers/outcome.ts'
import { attempt, start } from '../helpers/program.ts'
import { admin, startTestRegistry, type TestRegistry } from '../helpers/registry.ts'
import { schema1Image } from '../helpers/schema1-image.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { descriptor, digestOfBytes, tinyImage, type TinyImage } from '../helpers/tiny-image.ts'
import { payloadSum, pushV1, v1Image } from '../helpers/v1-client.ts'
import { startV1Index } from '../helpers/v1-index.ts'
import { V1Storage, v1Step } from '../helpers/v1-storage.ts'

const ociIndex = 'application/vnd.oci.image.index.v1+json'
const launcher = new URL('../../cli/caisson.js', import.meta.url).pathname
const env = { ADMIN_PASSWORD: admin.password }

/** A registry with docker-local of the V2 API and docker-v1 of the V1 API. */
async function startBoth(): Promise<TestRegistry> {
  return await startTestRegistry({
    repositories: { 'docker-v1': { type: 'local', apiVersion: 'v1' }, 'docker-local': { type: 'local' } },
  })
}

function v1Of({ admin }: TestRegistry) {
  return admin.at('/artifactory/api/docker/docker-v1/v1')
}

function at(side: 'source' | 'target', key: string): readonly string[] {
  const login = [`--${side}-user`, 'admin', `--${side}-password`, 'env:ADMIN_PASSWORD']
  return [`--${side}-plain-http`, `--${side}-context`, `/artifactory/api/docker/${key}`, ...login]
}

async function copy(...words: readonly string[]) {
  return await attempt(process.execPath, [launcher, 'copy', ...words], { env })
}

/** The ids that docker gives them, the base first. */
function idsOf({ config, diffIds }: LayeredImage): readonly string[] {
  const chain = diffIds.reduce<readonly string[]>((below, diffId) => {
    const last = below.at(-1)
    return [...below, last === undefined ? diffId.slice(7) : hash('sha256', `sha256:${last} ${diffId}`)]
  }, [])
  return [...chain.slice(0, -1), hash('sha256', config)]
}

/** What the V1 API has of a tag, the base first. */
async function pulled(registry: TestRegistry, image: string, tag: string) {
  const v1 = v1Of(registry)
  const found = await v1.ask('GET', `repositories/${image}/tags/${tag}`)
  if (found.status !== 200) return undefined
  const ancestry = await v1.ask('GET', `images/${String(found.json())}/ancestry`)
  const ids = (ancestry.json() as readonly string[]).toReversed()
  const of = async (id: string) => {
    const [json, layer] = [await v1.ask('GET', `images/${id}/json`), await v1.ask('GET', `images/${id}/layer`)]
    assert.equal(json.headers['x-docker-checksum-payload'], payloadSum(json.body.toString(), layer.body))
    return { id, json: json.body.toString(), layer: layer.body }
  }
  return await Promise.all(ids.map(of))
}

function indexOf(...images: readonly (readonly [platform: string, image: TinyImage])[]): TinyImage {
  const manifests = images.map(([architecture, { mediaType, manifest }]) => ({
    ...descriptor(mediaType, manifest),
    platform: { os: 'linux', architecture },
  }))
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: ociIndex, manifests }))
  return { mediaType: ociIndex, manifest, digest: digestOfBytes(manifest), blobs: [] }
}

test('an image of the V2 API becomes the images that docker makes of it, layers in gzip as they are, and a second run finds them', async () => {
  await using from = await startBoth()
  await using to = await startBoth()
  const [amd64, arm64, zstd] = [
    layeredImage('amd64'),
    layeredImage('arm64', { more: { architecture: 'arm64' } }),
    layeredImage('zstd', { packed: 'tar+zstd' }),
  ]
  for (const image of [amd64, arm64]) await from.admin.push('team/app', image.digest, image)
  await from.admin.putManifest('team/app', '1.0', indexOf(['arm64', arm64], ['amd64', amd64]))
  await from.admin.push('team/app', `${amd64.digest.replace(':', '-')}.sig`, tinyImage('cosign'))
  await from.admin.push('hello', 'latest', zstd)

  const words = [`docker://127.0.0.1:${from.port}`, `docker-v1://127.0.0.1:${to.port}`]
  const options = [...at('source', 'docker-local'), ...at('target', 'docker-v1'), '--jobs', '1']
  const first = await copy(...words, ...options)
  done(first)
  assert.match(first.stdout, /^hello:latest: copied \(2 blobs sent, \d+ B\)\nteam\/app:1\.0: copied \(1 blobs sent, /)
  const app = (await pulled(to, 'team/app', '1.0')) ?? []
  assert.deepEqual(
    app.map(({ id }) => id),
    idsOf(amd64),
  )
  assert.equal(app[0]?.json, `{"id":"${app[0]?.id}"}`)
  assert.equal(
    app[1]?.json,
    `{"architecture":"amd64","config":{"Cmd":["sh","-c","echo \\u003camd64\\u003e"]},"created":"2024-05-01T12:00:00.5Z",` +
      `"id":"${app[1]?.id}","os":"linux","parent":"${app[0]?.id}"}`,
  )
  assert.deepEqual(app[1]?.layer, amd64.layers[1])
  for (const name of ['hello', 'library/hello']) {
    const hello = (await pulled(to, name, 'latest')) ?? []
    assert.deepEqual(
      hello.map(({ layer }) => digestOfBytes(gunzipSync(layer))),
      zstd.diffIds,
    )
  }

  const again = await copy(...words, ...options)
  assert.match(again.stderr, /^0 copied \(0 B\), 2 already there, 0 failed\n$/)
  const other = [`${words[0]}/team/app:1.0`, `${words[1]}/team/app:arm`, '--platform', 'linux/arm64', '--json']
  const arm = JSON.parse((await copy(...other, ...options)).stdout) as { readonly id: string; readonly sum: object }
  assert.deepEqual(
    [arm.id, arm.sum],
    [idsOf(arm64)[1], { manifests: 1, blobs: 1, mounted: 0, bytes: arm64.layers[1]?.length }],
  )

  // The way back: what docker of today pulls has the same layers.
  const request = JSON.stringify({ targetRepo: 'docker-local', dockerRepository: 'team/app', tag: '1.0' })
  const migrated = await v1Of(to).ask('POST', 'migrate', {
    headers: { 'content-type': 'application/json' },
    body: request,
  })
  assert.equal(migrated.status, 200, migrated.body.toString())
  const accept = { accept: 'application/vnd.docker.distribution.manifest.v2+json' }
  const back = (await to.admin.ask('GET', 'team/app/manifests/1.0', { headers: accept })).json() as {
    readonly config: { readonly digest: string }
    readonly layers: readonly { readonly digest: string }[]
  }
  assert.deepEqual(
    back.layers.map(({ digest }) => digest),
    [digestOfBytes(app[0]?.layer ?? ''), digestOfBytes(amd64.layers[1] ?? '')],
  )
  const config = (await to.admin.ask('GET', `team/app/blobs/${back.config.digest}`)).json() as {
    readonly config: object
    readonly rootfs: object
  }
  assert.deepEqual(config.rootfs, { type: 'layers', diff_ids: amd64.diffIds })
  assert.deepEqual((config.config as { readonly Cmd: unknown }).Cmd, ['sh', '-c', 'echo <amd64>'])
})

test('images of the V1 API go to another registry of it as they are, all of them, and on top of what a push that broke off has left', async () => {
  await using from = await startBoth()
  await using to = await startBoth()
  const base = v1Image('base')
  const [app, other] = [v1Image('app', base, { 'odd  key': 1.5 }), v1Image('other', base)]
  await pushV1(v1Of(from), 'team/app', '1', [base, app])
  await pushV1(v1Of(from), 'team/app', '2', [base, other])
  await pushV1(v1Of(from), 'ubuntu', '14.04', [base])
  const announced = JSON.stringify([{ id: base.id }])
  assert.equal((await v1Of(to).ask('PUT', 'repositories/team/app/', { body: announced })).status, 200)
  assert.equal((await v1Of(to).ask('PUT', `images/${base.id}/json`, { body: base.json })).status, 200)

  const words = [`docker-v1://127.0.0.1:${from.port}`, `docker-v1://127.0.0.1:${to.port}`]
  const options = [...at('source', 'docker-v1'), ...at('target', 'docker-v1')]
  const dry = await copy(...words, ...options, '--dry-run')
  assert.match(dry.stderr, /^3 would be copied, 0 copied/)
  assert.equal(await pulled(to, 'team/app', '1'), undefined)
  const copied = await copy(...words, ...options)
  done(copied)
  assert.match(copied.stderr, /^3 copied \(\d+ B\), 0 already there, 0 failed\n$/)
  for (const [image, tag, top] of [
    ['team/app', '1', app],
    ['team/app', '2', other],
    ['ubuntu', '14.04', base],
  ] as const)
    assert.deepEqual(
      await pulled(to, image, tag),
      (top === base ? [base] : [base, top]).map(({ id, json, layer }) => ({ id, json, layer })),
    )
  assert.match((await copy(...words, ...options)).stderr, /^0 copied \(0 B\), 3 already there, 0 failed\n$/)
})

test('docker of before the V2 API pulls what was copied', async () => {
  await using site = await openOldDockerSite()
  await using from = await startBoth()
  const image = layeredImage('old', { on: ['base', 'middle'], packed: 'tar' })
  await from.admin.push('hello', '1', image)
  const words = [`docker://127.0.0.1:${from.port}/hello:1`, `docker-v1://${site.docks.port}`, '--target-user', 'admin']
  const target = ['--target-ca', site.caisson.authorityFile, '--target-password', 'env:SITE_PASSWORD']
  const copied = await attempt(
    process.execPath,
    [launcher, 'copy', ...words, ...target, ...at('source', 'docker-local')],
    { env: { ...env, SITE_PASSWORD: site.admin.password } },
  )
  done(copied)
  for (const version of ['1.5', '1.9'] as const) {
    const pulled = await site.docker(version, 'port', site.admin).pull('hello', '1')
    assert.deepEqual(
      pulled.map(({ id, layer }) => [id, digestOfBytes(gunzipSync(layer))]),
      idsOf(image).map((id, index) => [id, image.diffIds[index]]),
    )
  }
})

test('a copy that was killed goes on where it was', async () => {
  await using from = await startBoth()
  await using to = await startBoth()
  const tags = ['1', '2', '3', '4', '5', '6']
  for (const tag of tags) await from.admin.push('app', tag, layeredImage(tag))
  const words = [`docker://127.0.0.1:${from.port}/app`, `docker-v1://127.0.0.1:${to.port}`, '--all-tags', '--jobs', '1']
  const options = [...at('source', 'docker-local'), ...at('target', 'docker-v1')]
  const running = start(process.execPath, [launcher, 'copy', ...words, ...options], { env })
  await running.says(/app:1: copied/)
  process.kill(running.pid, 'SIGKILL')
  await running.ended

  const rest = await copy(...words, ...options)
  done(rest)
  assert.match(rest.stdout, /^app:1: already there$/m)
  for (const tag of tags)
    assert.deepEqual(
      (await pulled(to, 'app', tag))?.map(({ id }) => id),
      idsOf(layeredImage(tag)),
    )
})

test('what cannot be an image of the V1 API is told, an image that lies about its layers is not sent, and wrong credentials are told at once', async () => {
  await using from = await startBoth()
  await using to = await startBoth()
  const image = layeredImage('app')
  const lie = { rootfs: { type: 'layers', diff_ids: [image.diffIds[1], image.diffIds[0]] } }
  await from.admin.push('app', 'lie', layeredImage('app', { more: lie }))
  await from.admin.push('app', 'chart', tinyImage('no layers of its own'))
  await from.admin.push('app', image.digest, image)
  await from.admin.putManifest('app', 'arm', indexOf(['arm64', image]))
  const words = [`docker://127.0.0.1:${from.port}/app`, `docker-v1://127.0.0.1:${to.port}`, '--all-tags']
  const options = [...at('source', 'docker-local'), ...at('target', 'docker-v1')]
  const failed = await copy(...words, ...options)
  assert.equal(failed.exitCode, 1)
  assert.match(failed.stdout, /^app:arm: failed: it has no image for linux\/amd64, but for linux\/arm64: say which/m)
  assert.match(failed.stdout, /^app:chart: failed: rootfs: expected what the configuration of an image says/m)
  assert.match(
    failed.stdout,
    /^app:lie: failed: the source's layer sha256:\S+ is sha256:\S+ unpacked, and not sha256:/m,
  )
  assert.equal(await pulled(to, 'app', 'lie'), undefined)
  const lying = image.diffIds[1]?.slice(7)
  assert.equal((await v1Of(to).ask('GET', `images/${lying}/json`)).status, 404)

  const untagged = await copy(`${words[0]}@${image.digest}`, `${words[1]}`, ...options)
  assert.match(untagged.stdout, /failed: the V1 API knows images by their tags alone: name one in the target/)
  const wrong = [...at('target', 'docker-v1'), '--target-user', 'nobody']
  refused(
    await copy(...words, ...at('source', 'docker-local'), ...wrong),
    /users\/ is answered with 401, with credentials/,
  )
  const toV2 = [...at('target', 'docker-local'), '--platform', 'linux/arm64']
  refused(
    await copy(words[0] ?? '', `docker://127.0.0.1:${to.port}`, ...at('source', 'docker-local'), ...toV2),
    /--platform is for docker-v1:/,
  )
})

test('a registry behind an index is shown the token that the index gave, and asked as docker asks', async () => {
  await using from = await startBoth()
  await using index = await startV1Index({ login: `admin:${admin.password}` })
  const image = layeredImage('app')
  const [base = '', top = ''] = idsOf(image)
  await from.admin.push('team/app', '1', image)
  const words = [`docker://127.0.0.1:${from.port}/team/app:1`, `docker-v1://127.0.0.1:${index.port}`]
  const login = ['--target-user', 'admin', '--target-password', 'env:ADMIN_PASSWORD', '--target-plain-http']
  const copied = await copy(...words, ...at('source', 'docker-local'), ...login)
  done(copied)
  const calls = index.calls.filter((call) => call.startsWith('PUT'))
  assert.deepEqual(calls, [
    'PUT repositories/team/app/',
    ...[base, top].flatMap((id) => ['json', 'layer', 'checksum'].map((part) => `PUT images/${id}/${part}`)),
    'PUT repositories/team/app/tags/1',
    'PUT repositories/team/app/images',
  ])
  const again = await copy(...words, ...at('source', 'docker-local'), ...login)
  assert.equal(again.stdout, 'team/app:1: already there\n')
})

test('schema 1 and the storage of a V1 registry hold images of the V1 API, which are sent as they are unless they are corrupt', async () => {
  await using from = await startBoth()
  await using to = await startBoth()
  await using old = await temporaryDirectory()
  const storage = new V1Storage(old.path)
  const base = v1Step('base', undefined, 'none')
  const [app, corrupt] = [v1Step('app', base), v1Step('corrupt', base)]
  await storage.addImage(base)
  await storage.addImage(app)
  await storage.addImage(corrupt, JSON.stringify([`sha256:${'0'.repeat(64)}`]))
  await storage.tag('team/app', '1', app)
  await storage.tag('team/app', 'corrupt', corrupt)
  const to1 = [`docker-v1://127.0.0.1:${to.port}`, ...at('target', 'docker-v1')]
  const copied = await copy(`docker-registry:${old.path}`, ...to1)
  assert.match(copied.stdout, /^team\/app:1: copied \(\d blobs sent/m)
  assert.match(copied.stdout, /^team\/app:corrupt: failed: the source's image [0-9a-f]{64} is corrupt: JSON and layer/m)
  assert.deepEqual(
    await pulled(to, 'team/app', '1'),
    [base, app].map(({ id, json, layer }) => ({ id, json, layer })),
  )
  assert.equal((await v1Of(to).ask('GET', `images/${corrupt.id}/json`)).status, 404)

  const schema1 = schema1Image('old')
  await from.admin.push('old', '1', schema1)
  const source = [`docker://127.0.0.1:${from.port}/old:1`, ...at('source', 'docker-local')]
  done(await copy(...source, ...to1))
  const images = (await pulled(to, 'old', '1')) ?? []
  assert.deepEqual(
    images.map(({ layer }) => layer),
    schema1.blobs,
  )
  const { history } = JSON.parse(schema1.manifest.toString()) as {
    readonly history: readonly { readonly v1Compatibility: string }[]
  }
  assert.deepEqual(
    images.map(({ json }) => json),
    history.map(({ v1Compatibility }) => v1Compatibility).toReversed(),
  )

  const [top] = history.map(({ v1Compatibility }) => JSON.parse(v1Compatibility) as { readonly id: string })
  await using other = await startBoth()
  const [json, layer] = [JSON.stringify({ ...top, parent: undefined, comment: 'another' }), gzipSync('another')]
  await pushV1(v1Of(other), 'other', '1', [{ id: top?.id ?? '', json, layer, payload: payloadSum(json, layer) }])
  const conflict = await copy(...source, `docker-v1://127.0.0.1:${other.port}`, ...at('target', 'docker-v1'))
  assert.match(conflict.stdout, /failed: the target has another image under the id [0-9a-f]{64}/)
})
