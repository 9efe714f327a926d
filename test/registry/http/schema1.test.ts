import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, test } from 'node:test'
import { z } from 'zod'
import { emptyLayer, emptyLayerDigest } from '../../../registry/domain/schema1/empty-layer.ts'
import { payloadOf } from '../../../registry/domain/manifest-digest.ts'
import { verifySchema1 } from '../../../registry/domain/schema1/signatures.ts'
import { FaultyUpstream } from '../../helpers/faulty-upstream.ts'
import {
  dockerBuilt,
  dockerImage,
  schema1Image,
  schema1LayersOf,
  signedType,
  unsignedType,
} from '../../helpers/schema1-image.ts'
import { localV2, startTestRegistry } from '../../helpers/registry.ts'
import { locationOf, type Answer, type RegistryClient } from '../../helpers/registry-client.ts'
import { descriptor, digestOfBytes, ociManifest, tinyImage, type TinyImage } from '../../helpers/tiny-image.ts'
import { addUser, onAccess, target } from '../../helpers/users.ts'

const upstream = await FaultyUpstream.start()
after(() => upstream[Symbol.asyncDispose]())
const registry = await startTestRegistry({
  repositories: {
    'docker-local': { type: 'local' },
    'new-only': { type: 'local', blockPushingSchema1: true },
    hub: { type: 'remote', url: upstream.url, assumedOfflinePeriodSecs: 0 },
    docker: { type: 'virtual', members: ['docker-local', 'hub'], deployTo: 'docker-local' },
  },
})
after(() => registry[Symbol.asyncDispose]())
const { admin, anonymous } = registry
const at = (key: string) => `/artifactory/api/docker/${key}/v2`
const docker19 = 'docker/1.9.1 go/go1.4.3 git-commit/a34a1d5 kernel/4.1.0 os/linux arch/amd64'
const old = anonymous.acceptingNothing()
const docker = old.with({ 'user-agent': docker19 })

const image = dockerBuilt('a')
await admin.push('new', '1', image)

/** What stands in it, its signature being right. */
function readOld(answer: Answer) {
  assert.deepEqual([answer.status, answer.headers['content-type']], [200, signedType], answer.body.toString())
  verifySchema1(answer.body)
  const payload = payloadOf(signedType, answer.body)
  assert.equal(answer.headers['docker-content-digest'], digestOfBytes(payload))
  assert.equal(answer.headers.etag, `"${digestOfBytes(payload)}"`)
  assert.match(answer.headers.vary ?? '', /\bAccept\b/)
  const { fsLayers, ...others } = form.parse(JSON.parse(Buffer.from(payload).toString()))
  return { ...others, layers: fsLayers.map(({ blobSum }) => blobSum) }
}
const form = z.object({
  name: z.string(),
  tag: z.string(),
  architecture: z.string(),
  fsLayers: z.array(z.object({ blobSum: z.string() })),
  history: z.array(z.object({ v1Compatibility: z.string() })),
})

for (const type of [signedType, unsignedType, 'application/json', 'text/plain; charset=utf-8', undefined])
  test(`an old image that is pushed as ${type} is kept byte for byte, and its digest is that of what was signed`, async () => {
    const pushed = schema1Image(`pushed as ${type}`)
    for (const blob of pushed.blobs) await admin.pushBlob('old', blob)
    const headers = type === undefined ? {} : { 'content-type': type }
    const put = await admin.ask('PUT', 'old/manifests/1', { headers, body: pushed.manifest })
    assert.equal(put.status, 201, put.body.toString())
    assert.equal(put.headers['docker-content-digest'], pushed.digest)
    assert.equal(locationOf(put), `http://registry.test${localV2}/old/manifests/${pushed.digest}`)
    for (const client of [anonymous, old, docker])
      for (const reference of ['1', pushed.digest]) {
        const answer = await client.ask('GET', `old/manifests/${reference}`)
        assert.deepEqual([answer.status, answer.body], [200, pushed.manifest])
        assert.equal(answer.headers['content-type'], signedType)
        assert.equal(answer.headers['docker-content-digest'], pushed.digest)
      }
  })

test('an old image can be pushed by its digest, that of what was signed, and deleted by it', async () => {
  const pushed = schema1Image('by digest')
  for (const blob of pushed.blobs) await admin.pushBlob('old', blob)
  const refused = await admin.putManifest('old', digestOfBytes(pushed.manifest), pushed)
  assert.deepEqual([refused.status, refused.error()], [400, 'DIGEST_INVALID'])
  assert.equal((await admin.putManifest('old', pushed.digest, pushed)).status, 201)
  assert.equal((await admin.ask('DELETE', `old/manifests/${pushed.digest}`)).status, 202)
  assert.equal((await anonymous.ask('HEAD', `old/manifests/${pushed.digest}`)).status, 404)
})

test('the same image by another signer is the same image', async () => {
  const [one, other] = [
    schema1Image('signed'),
    schema1Image('signed', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
  ]
  await admin.push('signed', '1', one)
  await admin.push('signed', '2', other)
  assert.equal(one.digest, other.digest)
  const answers = await Promise.all(['1', '2'].map((tag) => anonymous.ask('GET', `signed/manifests/${tag}`)))
  for (const { body } of answers) assert.deepEqual(body, other.manifest)
})

test('an old image without signatures has the digest of its bytes', async () => {
  const { payload, blobs } = schema1Image('unsigned')
  const unsigned: TinyImage = {
    mediaType: 'application/json',
    manifest: payload,
    digest: digestOfBytes(payload),
    blobs,
  }
  await admin.push('unsigned', '1', unsigned)
  const answer = await docker.ask('GET', 'unsigned/manifests/1')
  assert.deepEqual([answer.body, answer.headers['content-type']], [payload, unsignedType])
  assert.equal(answer.headers['docker-content-digest'], unsigned.digest)
})

const pushes: Readonly<Record<string, readonly [manifest: Uint8Array, type: string, code: string, message: RegExp]>> = {
  'no signatures, as a signed one': [
    schema1Image('x').payload,
    signedType,
    'MANIFEST_UNVERIFIED',
    /expected signatures/,
  ],
  'another text than was signed': [
    Buffer.from(schema1Image('x').manifest.toString().replace('"amd64"', '"arm64"')),
    'application/json',
    'MANIFEST_UNVERIFIED',
    /signatures\[0\]: it is not that of the key over this manifest/,
  ],
  'no history': [
    Buffer.from('{"schemaVersion":1,"fsLayers":[]}'),
    'application/json',
    'MANIFEST_INVALID',
    /history: expected a list/,
  ],
  'layers that the image has not got': [
    schema1Image('y').manifest,
    signedType,
    'MANIFEST_BLOB_UNKNOWN',
    /does not have/,
  ],
}
for (const [what, [body, type, code, message]] of Object.entries(pushes))
  test(`an old image with ${what} is refused`, async () => {
    const put = await admin.ask('PUT', 'refused/manifests/1', { headers: { 'content-type': type }, body })
    assert.deepEqual([put.status, put.error()], [code === 'MANIFEST_BLOB_UNKNOWN' ? 404 : 400, code])
    assert.match(put.body.toString(), message)
  })

test('a repository can be told to take no old images', async () => {
  const client = admin.at(at('new-only'))
  const pushed = schema1Image('blocked')
  for (const blob of pushed.blobs) await client.pushBlob('old', blob)
  const put = await client.putManifest('old', '1', pushed)
  assert.deepEqual([put.status, put.error()], [400, 'MANIFEST_INVALID'])
  assert.match(put.body.toString(), /blockPushingSchema1/)
  await client.push('new', '1', image)
})

for (const type of ['application/json', undefined])
  test(`a manifest that is pushed as ${type} has the media type that it says itself`, async () => {
    for (const content of [image, tinyImage('said')]) {
      for (const blob of content.blobs) await admin.pushBlob('said', blob)
      const headers = type === undefined ? {} : { 'content-type': type }
      const put = await admin.ask('PUT', 'said/manifests/1', { headers, body: content.manifest })
      assert.deepEqual([put.status, put.headers['docker-content-digest']], [201, content.digest])
      assert.equal((await anonymous.ask('GET', 'said/manifests/1')).headers['content-type'], content.mediaType)
    }
  })

for (const [what, headers] of Object.entries({
  nothing: {},
  'schema 1': { accept: `${signedType}, ${unsignedType};q=0.5` },
  'schema 1 and JSON': { accept: `application/json, ${signedType}` },
  'an empty list': { accept: '' },
}))
  test(`who accepts ${what} gets an image of today as one of old, signed`, async () => {
    for (const client of [old, docker]) {
      const answer = await client.ask('GET', 'new/manifests/1', { headers })
      const { name, tag, architecture, layers, history } = readOld(answer)
      assert.deepEqual([name, tag, architecture], ['new', '1', 'amd64'])
      assert.deepEqual(layers, schema1LayersOf(image))
      assert.match(history[0]?.v1Compatibility ?? '', /"Cmd":\["sh","-c","echo \\u003c\\u0026\\u003e"\]/)
    }
  })

test('it is the same each time, also after a restart, and by the same signer', async () => {
  const [one, other] = [await old.ask('GET', 'new/manifests/1'), await old.ask('GET', 'new/manifests/1')]
  await registry.restart()
  const later = await old.ask('GET', 'new/manifests/1')
  const head = await old.ask('HEAD', 'new/manifests/1')
  for (const answer of [other, later, head]) {
    for (const name of ['docker-content-digest', 'etag', 'content-length', 'content-type'] as const)
      assert.equal(answer.headers[name], one.headers[name])
  }
  assert.equal(head.body.length, 0)
  const signerOf = ({ body }: Answer) => /"kid": "([^"]+)"/.exec(body.toString())?.[1]
  assert.equal(signerOf(one), signerOf(later))
  const headers = { 'if-none-match': one.headers.etag ?? '' }
  assert.equal((await old.ask('GET', 'new/manifests/1', { headers })).status, 304)
})

for (const accept of ['*/*', 'application/*', dockerImage, `${signedType}, ${ociManifest}`, `${signedType}, */*;q=0.1`])
  test(`who accepts ${accept} gets it as it is`, async () => {
    const answer = await old.ask('GET', 'new/manifests/1', { headers: { accept } })
    assert.deepEqual([answer.body, answer.headers['content-type']], [image.manifest, dockerImage])
    assert.match(answer.headers.vary ?? '', /\bAccept\b/)
  })

test('by digest it is never another one', async () => {
  for (const client of [old, docker])
    assert.deepEqual((await client.ask('GET', `new/manifests/${image.digest}`)).body, image.manifest)
})

test('the name is the one that the client knows it by', async () => {
  assert.equal(readOld(await old.at('/v2').ask('GET', 'docker-local/new/manifests/1')).name, 'docker-local/new')
})

test('of an index it is the image for linux/amd64, else the first one for linux', async () => {
  const [amd64, arm64] = [dockerBuilt('amd64'), dockerBuilt('arm64', { architecture: 'arm64' })]
  const windows = dockerBuilt('windows')
  for (const [tag, entries, expected] of [
    ['1', { 'windows/amd64': windows, 'linux/arm64': arm64, 'linux/amd64': amd64 }, amd64],
    ['2', { 'windows/amd64': windows, 'linux/arm64': arm64 }, arm64],
  ] as const) {
    await pushIndex('indexed', tag, entries)
    assert.deepEqual(readOld(await docker.ask('GET', `indexed/manifests/${tag}`)).layers, schema1LayersOf(expected))
  }
  const index = await pushIndex('indexed', '3', { 'windows/amd64': windows, 'unknown/unknown': amd64 })
  assert.deepEqual((await old.ask('GET', 'indexed/manifests/3')).body, index.manifest)
  const refused = await docker.ask('GET', 'indexed/manifests/3')
  assert.deepEqual([refused.status, refused.error()], [404, 'MANIFEST_UNKNOWN'])
  assert.match(refused.body.toString(), /cannot be converted for docker before 1.10: it has no image for linux/)
})

const layerOf = (mediaType: string) => ({ layers: [descriptor(mediaType, Buffer.from('layer of a layer'))] })
const unconvertible: Readonly<Record<string, readonly [content: TinyImage, why: RegExp]>> = {
  'has no history': [dockerBuilt('no history', { history: [] }), /its configuration has no history/],
  'has layers in zstd': [
    tinyImage('a layer', layerOf('application/vnd.oci.image.layer.v1.tar+zstd')),
    /a layer of the type application\/vnd.oci.image.layer.v1.tar\+zstd/,
  ],
  'has layers that are elsewhere': [
    tinyImage('a layer', layerOf('application/vnd.docker.image.rootfs.foreign.diff.tar.gzip')),
    /a layer that may not be distributed/,
  ],
  'has a configuration that is no JSON': [
    withConfig('application/vnd.oci.image.config.v1+json', 'text'),
    /its configuration is no JSON object/,
  ],
  'is no image': [withConfig('application/vnd.cncf.helm.config.v1+json', '{}'), /its configuration is not that of/],
  'is of a type that nobody knows': [
    { ...tinyImage('thing'), mediaType: 'application/vnd.example.thing+json', manifest: Buffer.from('{"thing":1}') },
    /it is no image but application\/vnd.example.thing\+json/,
  ],
}
for (const [what, [content, why]] of Object.entries(unconvertible))
  test(`what ${what} is not there for docker 1.9, which is told why, and as it is for others`, async () => {
    for (const blob of content.blobs) await admin.pushBlob('kept', blob)
    assert.equal((await admin.putManifest('kept', '1', content)).status, 201)
    assert.deepEqual((await old.ask('GET', 'kept/manifests/1')).body, content.manifest)
    const refused = await docker.ask('GET', 'kept/manifests/1')
    assert.deepEqual([refused.status, refused.error()], [404, 'MANIFEST_UNKNOWN'])
    assert.match(refused.body.toString(), why)
    assert.equal((await docker.ask('HEAD', 'kept/manifests/1')).status, 404)
  })

test('the layer that old images have where nothing changed can be pulled in part too', async () => {
  const path = `new/blobs/${emptyLayerDigest}`
  const answer = await docker.ask('GET', path)
  assert.deepEqual([answer.status, answer.body], [200, Buffer.from(emptyLayer)])
  assert.equal(answer.headers['docker-content-digest'], emptyLayerDigest)
  const part = await docker.ask('GET', path, { headers: { range: 'bytes=2-3' } })
  assert.deepEqual([part.status, part.body], [206, Buffer.from(emptyLayer.subarray(2, 4))])
})

test('what comes from elsewhere is converted too, through a virtual repository as well', async () => {
  upstream.content.push('team/app', '1', image)
  for (const key of ['hub', 'docker']) {
    const answer = await docker.at(at(key)).ask('GET', 'team/app/manifests/1')
    assert.deepEqual(readOld(answer).layers, schema1LayersOf(image))
    assert.equal(answer.headers['x-cache'], key === 'hub' ? 'MISS' : 'HIT')
  }
  assert.deepEqual(readOld(await docker.at(at('docker')).ask('GET', 'new/manifests/1')).layers, schema1LayersOf(image))
})

test('where the configuration cannot be had, it is as what cannot be converted', async () => {
  const content = dockerBuilt('without its configuration')
  upstream.content.manifest('team/broken', { mediaType: content.mediaType, bytes: content.manifest }, '1')
  const hub = at('hub')
  assert.deepEqual((await old.at(hub).ask('GET', 'team/broken/manifests/1')).body, content.manifest)
  const refused = await docker.at(hub).ask('GET', 'team/broken/manifests/1')
  assert.deepEqual([refused.status, refused.error()], [404, 'MANIFEST_UNKNOWN'])
})

test('an old image can be pushed through a virtual repository', async () => {
  const pushed = schema1Image('virtual')
  await admin.at(at('docker')).push('through', '1', pushed)
  assert.deepEqual((await docker.ask('GET', 'through/manifests/1')).body, pushed.manifest)
})

test('a converted image can be pushed through a virtual repository as it was pulled, with what a member has', async () => {
  const elsewhere = dockerBuilt('elsewhere')
  upstream.content.push('team/converted', '1', elsewhere)
  const client = docker.at(at('docker'))
  const pulled = await client.ask('GET', 'team/converted/manifests/1')
  for (const blob of schema1LayersOf(elsewhere)) await client.ask('GET', `team/converted/blobs/${blob}`)
  const put = await admin.at(at('docker')).ask('PUT', 'team/converted/manifests/2', { body: pulled.body })
  assert.equal(put.status, 201, put.body.toString())
  for (const blob of schema1LayersOf(elsewhere))
    assert.equal((await admin.ask('HEAD', `team/converted/blobs/${blob}`)).status, 200)
})

test('who may read some tags alone gets these converted, and no others', async () => {
  await using closed = await startTestRegistry({ anonymousAccess: false })
  await closed.admin.push('secret', 'open', image)
  await closed.admin.push('secret', 'hidden', dockerBuilt('hidden'))
  const reader = await addUser(closed, 'reader')
  await onAccess(closed, async (access) => {
    await access.removeTarget('Anything')
    await access.putTarget(target('open', { users: { reader: ['read'] }, includes: ['secret/open'] }))
  })
  const client = closed.anonymous.as(reader).acceptingNothing()
  assert.deepEqual(readOld(await client.ask('GET', 'secret/manifests/open')).layers, schema1LayersOf(image))
  assert.equal((await client.ask('GET', 'secret/manifests/hidden')).status, 403)
  assert.equal((await closed.anonymous.acceptingNothing().ask('GET', 'secret/manifests/open')).status, 401)
})

function withConfig(mediaType: string, text: string): TinyImage {
  const config = Buffer.from(text)
  return { ...tinyImage('x', { config: descriptor(mediaType, config) }), blobs: [config, ...tinyImage('x').blobs] }
}

async function pushIndex(name: string, tag: string, entries: Readonly<Record<string, TinyImage>>): Promise<TinyImage> {
  const manifests = []
  for (const [platform, content] of Object.entries(entries)) {
    await pushByDigest(admin, name, content)
    const [os, architecture] = platform.split('/')
    manifests.push({ ...descriptor(content.mediaType, content.manifest), platform: { os, architecture } })
  }
  const mediaType = 'application/vnd.docker.distribution.manifest.list.v2+json'
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }))
  const index = { mediaType, manifest, digest: digestOfBytes(manifest), blobs: [] }
  await admin.push(name, tag, index)
  return index
}

async function pushByDigest(client: RegistryClient, name: string, content: TinyImage): Promise<void> {
  await client.push(name, content.digest, content)
}
