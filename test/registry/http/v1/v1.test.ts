import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { after, test } from 'node:test'
import { LayerChecksums } from '../../../../registry/repositories/local/layer-checksums.ts'
import { layerTar } from '../../../helpers/layer-tar.ts'
import { startTestRegistry } from '../../../helpers/registry.ts'
import type { Answer, RegistryClient } from '../../../helpers/registry-client.ts'
import { payloadSum, pushV1, pushV1Image, v1Image, type V1TestImage } from '../../../helpers/v1-client.ts'

const registry = await startTestRegistry({
  repositories: {
    'docker-v1': { type: 'local', apiVersion: 'v1' },
    'docker-local': { type: 'local' },
    forced: { type: 'local', apiVersion: 'v1' },
    'forced-v2': { type: 'local' },
    fixed: { type: 'local', apiVersion: 'v1', immutableTags: ['**/1.*'] },
  },
  forceAuthentication: ['forced', 'forced-v2'],
})
after(() => registry[Symbol.asyncDispose]())
const at = (key: string) => `/artifactory/api/docker/${key}/v1`
const admin = registry.admin.at(at('docker-v1'))
const anonymous = registry.anonymous.at(at('docker-v1'))

const base = v1Image('base')
const top = v1Image('top', base, { docker_version: '1.5.0', architecture: 'arm', os: 'linux' })
await pushV1(admin, 'acme/app', '1.0', [base, top])

/** The text of V1's error form. */
function errorOf(answer: Answer): string {
  return (answer.json() as { error: string }).error
}

async function statusOf(client: RegistryClient, method: string, path: string, body?: string): Promise<number> {
  return (await client.ask(method, path, body === undefined ? {} : { body })).status
}

test('whoever asks whether this is a V1 registry is told so, without a login', async () => {
  for (const key of ['docker-v1', 'forced', 'docker-local']) {
    const answer = await registry.anonymous.at(at(key)).ask('GET', '_ping')
    assert.equal(answer.status, 200)
    assert.deepEqual(answer.json(), {})
    assert.equal(answer.headers['x-docker-registry-standalone'], 'true')
    assert.equal(answer.headers['x-docker-registry-version'], '1.2.3')
  }
})

test('the V2 API of a V1 repository is not there, and no header names it', async () => {
  for (const path of ['', 'acme/app/manifests/1.0', '_catalog', 'token', 'nothing/here']) {
    const answer = await registry.anonymous.at('/artifactory/api/docker/docker-v1/v2').ask('GET', path)
    assert.equal(answer.status, 404, path)
    assert.equal(answer.headers['docker-distribution-api-version'], undefined)
    assert.equal(answer.headers['www-authenticate'], undefined)
  }
  assert.equal(await statusOf(registry.anonymous.at('/v2'), 'GET', 'docker-v1/acme/app/manifests/1.0'), 404)
})

test('the V1 API of a V2 repository has no images, and says what to use', async () => {
  const v2 = registry.admin.at(at('docker-local'))
  for (const [method, path] of [
    ['PUT', 'repositories/acme/app/'],
    ['GET', 'repositories/acme/app/images'],
    ['GET', 'repositories/acme/app/tags'],
    ['GET', `images/${top.id}/json`],
  ] as const) {
    const answer = await v2.ask(method, path, method === 'PUT' ? { body: '[]' } : {})
    assert.equal(answer.status, 404)
    assert.equal(errorOf(answer), 'the repository docker-local speaks the V2 API: use docker 1.6 or newer')
  }
})

test('what was pushed is pulled, byte for byte', async () => {
  assert.deepEqual((await anonymous.ask('GET', 'repositories/acme/app/tags')).json(), { '1.0': top.id })
  assert.equal((await anonymous.ask('GET', 'repositories/acme/app/tags/1.0')).json(), top.id)
  assert.deepEqual((await anonymous.ask('GET', `images/${top.id}/ancestry`)).json(), [top.id, base.id])
  for (const image of [base, top]) {
    const json = await anonymous.ask('GET', `images/${image.id}/json`)
    assert.equal(json.body.toString(), image.json)
    assert.equal(json.headers['x-docker-size'], String(image.layer.length))
    assert.equal(json.headers['x-docker-checksum-payload'], image.payload)
    const layer = await anonymous.ask('GET', `images/${image.id}/layer`)
    assert.deepEqual(layer.body, image.layer)
    assert.equal(layer.headers['accept-ranges'], 'bytes')
    assert.equal(layer.headers['content-type'], 'application/octet-stream')
  }
})

test('a pull begins with the list of images, and is told where they are', async () => {
  const answer = await anonymous.ask('GET', 'repositories/acme/app/images', { headers: { 'x-docker-token': 'true' } })
  assert.equal(answer.headers['x-docker-endpoints'], 'registry.test')
  assert.match(String(answer.headers['x-docker-token']), /^signature=[\w.-]+,repository="acme\/app",access=read$/)
  const expected = [base, top].map(({ id, payload }) => ({ id, checksum: payload }))
  assert.deepEqual(
    answer.json(),
    expected.sort((one, other) => (one.id < other.id ? -1 : 1)),
  )
})

test('a layer that broke off is gone on with, by a range that ends one beyond the last byte', async () => {
  const { id, layer } = top
  const ask = (range: string) => anonymous.ask('GET', `images/${id}/layer`, { headers: { range } })
  const rest = await ask(`bytes=10-${layer.length}`)
  assert.equal(rest.status, 206)
  assert.deepEqual(rest.body, layer.subarray(10))
  const nothing = await ask(`bytes=${layer.length}-${layer.length}`)
  assert.deepEqual([nothing.status, nothing.headers['content-length'], nothing.body.length], [416, '0', 0])
})

test('a layer is kept by clients for ever, and an answer that there is none is not', async () => {
  const path = `images/${base.id}/layer`
  const cacheControl = async () => (await anonymous.ask('GET', path)).headers['cache-control']
  assert.equal(await cacheControl(), 'private, max-age=31536000')
  const name = hash('sha256', base.layer, 'hex')
  const file = join(registry.dataDirectory, 'blobs', 'sha256', name.slice(0, 2), name)
  await rename(file, `${file}.away`)
  assert.equal(await cacheControl(), undefined)
  await rename(`${file}.away`, file)
})

test('what is in a layer, and what it changes, is listed', async () => {
  const paths = async (id: string) =>
    ((await anonymous.ask('GET', `images/${id}/files`)).json() as readonly (readonly unknown[])[]).map(([path]) => path)
  assert.deepEqual(await paths(top.id), ['/file of top'])
  const diff = (await anonymous.ask('GET', `images/${top.id}/diff`)).json() as Record<string, object>
  assert.deepEqual(
    Object.entries(diff).map(([kind, files]) => [kind, Object.keys(files)]),
    [
      ['deleted', []],
      ['changed', []],
      ['created', ['/file of top']],
    ],
  )
})

test('a tarsum that was sent is verified', async () => {
  const image = v1Image('summed')
  await admin.ask('PUT', 'repositories/acme/summed/', { body: JSON.stringify([{ id: image.id }]) })
  await admin.ask('PUT', `images/${image.id}/json`, { body: image.json })
  await admin.ask('PUT', `images/${image.id}/layer`, { body: image.layer })
  const finish = (tarsum: string) =>
    admin.ask('PUT', `images/${image.id}/checksum`, {
      headers: { 'x-docker-checksum': tarsum, 'x-docker-checksum-payload': image.payload },
    })
  for (const version of ['tarsum+', 'tarsum.v1+'])
    assert.match(
      errorOf(await finish(`${version}sha256:${'0'.repeat(64)}`)),
      /^Checksum mismatch: X-Docker-Checksum says/,
    )
  const sums = new LayerChecksums(Buffer.from(image.json))
  for await (const _chunk of sums.watch(Readable.from([image.layer]))) continue
  assert.equal((await finish((await sums.finish()).tarsums?.v0 ?? '')).status, 200)
})

test('of files without a time docker may have summed another one: the payload is proof enough', async () => {
  const image = v1Image('timeless')
  const layer = gzipSync(layerTar([{ name: 'old', content: 'of 1969', mtime: 0 }]))
  const headers = {
    'x-docker-checksum': `tarsum+sha256:${'0'.repeat(64)}`,
    'x-docker-checksum-payload': payloadSum(image.json, layer),
  }
  await admin.ask('PUT', 'repositories/acme/timeless/', { body: JSON.stringify([{ id: image.id }]) })
  await admin.ask('PUT', `images/${image.id}/json`, { body: image.json })
  await admin.ask('PUT', `images/${image.id}/layer`, { body: layer })
  assert.equal((await admin.ask('PUT', `images/${image.id}/checksum`, { headers })).status, 200)
})

test('one-component names are in library, however they are asked for', async () => {
  await pushV1(admin, 'ubuntu', 'latest', [base])
  for (const name of ['ubuntu', 'library/ubuntu'])
    assert.deepEqual((await anonymous.ask('GET', `repositories/${name}/tags`)).json(), { latest: base.id })
  await pushV1(admin, 'library/debian', 'latest', [base])
  assert.deepEqual((await anonymous.ask('GET', 'repositories/debian/tags')).json(), { latest: base.id })
})

test('names have any number of parts, and may end like a part of the API', async () => {
  for (const name of ['a/b/c/d', 'team/images', 'tags']) {
    await pushV1(admin, name, 'latest', [base])
    assert.deepEqual((await anonymous.ask('GET', `repositories/${name}/tags`)).json(), { latest: base.id }, name)
  }
})

test('an image is visible when its checksum is, and then never changes', async () => {
  const image = v1Image('steps')
  await admin.ask('PUT', 'repositories/acme/steps/', { body: JSON.stringify([{ id: image.id, Tag: 'latest' }]) })
  const ask = (method: string, part: string, body?: string | Buffer, headers = {}) =>
    admin.ask(method, `images/${image.id}/${part}`, { headers, ...(body !== undefined && { body }) })
  const sums = { 'x-docker-checksum-payload': image.payload }

  assert.equal((await ask('PUT', 'layer', image.layer)).status, 404)
  assert.equal((await ask('PUT', 'checksum', undefined, sums)).status, 404)
  assert.equal((await ask('PUT', 'json', image.json)).status, 200)
  assert.equal((await ask('GET', 'json')).status, 404)
  const early = await ask('PUT', 'checksum', undefined, sums)
  assert.equal(early.status, 409)
  assert.match(errorOf(early), /^Cannot set this image checksum/)
  assert.equal((await ask('PUT', 'layer', image.layer)).status, 200)
  assert.equal((await ask('GET', 'json')).status, 404)
  assert.equal((await ask('PUT', 'checksum')).status, 412)
  const wrong = await ask('PUT', 'checksum', undefined, { 'x-docker-checksum-payload': base.payload })
  assert.equal(wrong.status, 400)
  assert.match(errorOf(wrong), /^Checksum mismatch/)
  assert.deepEqual((await ask('PUT', 'checksum', undefined, sums)).json(), true)
  assert.equal((await ask('GET', 'json')).status, 200)
  const again = await ask('PUT', 'json', image.json)
  assert.deepEqual([again.status, errorOf(again)], [409, 'Image already exists'])
})

test('of two who push the same image at the same time neither is told to give up', async () => {
  const image = v1Image('raced')
  const headers = { 'x-docker-checksum-payload': image.payload }
  await admin.ask('PUT', 'repositories/acme/raced/', { body: JSON.stringify([{ id: image.id }]) })
  for (const _each of ['one', 'other'])
    for (const part of ['json', 'layer'] as const)
      assert.equal((await admin.ask('PUT', `images/${image.id}/${part}`, { body: image[part] })).status, 200)
  for (const _each of ['one', 'other'])
    assert.equal((await admin.ask('PUT', `images/${image.id}/checksum`, { headers })).status, 200)
})

test('a push that broke off is repeated, from the JSON on', async () => {
  const image = v1Image('repeated')
  const announce = () => admin.ask('PUT', 'repositories/acme/repeated/', { body: JSON.stringify([{ id: image.id }]) })
  await announce()
  await admin.ask('PUT', `images/${image.id}/json`, { body: image.json })
  await admin.ask('PUT', `images/${image.id}/layer`, { body: 'half of it' })
  await registry.restart()
  await announce()
  await pushV1Image(admin, image)
  assert.deepEqual((await admin.ask('GET', `images/${image.id}/layer`)).body, image.layer)
})

test('JSON that is no image is refused in words that docker shows', async () => {
  const { id } = v1Image('bad')
  await admin.ask('PUT', 'repositories/acme/bad/', { body: JSON.stringify([{ id }]) })
  for (const [json, says] of [
    ['nonsense', /^Invalid JSON/],
    ['{}', /^Missing key `id' in JSON$/],
    ['{"id":"XYZ"}', /^JSON data contains invalid id/],
    [top.json, /^JSON data contains invalid id: the path has another one$/],
    [JSON.stringify({ id, parent: 'f'.repeat(64) }), /^Image depends on a non existing parent/],
  ] as const) {
    const answer = await admin.ask('PUT', `images/${id}/json`, { body: json })
    assert.equal(answer.status, 400)
    assert.match(errorOf(answer), says)
  }
})

test('an image that nobody announced is not taken', async () => {
  const image = v1Image('unannounced')
  const answer = await admin.ask('PUT', `images/${image.id}/json`, { body: image.json })
  assert.equal(answer.status, 400)
  assert.match(errorOf(answer), /^This image does not belong to the repository/)
})

test('while somebody announces very many images, others are answered', async () => {
  const ids = Array.from({ length: 50_000 }, (_, index) => ({ id: index.toString(16).padStart(16, '0') }))
  const push = { isAnnounced: false }
  const announcing = admin.ask('PUT', 'repositories/acme/many/', { body: JSON.stringify(ids) })
  const announced = announcing.finally(() => (push.isAnnounced = true))
  let answers = 0
  for (; !push.isAnnounced; answers++) await anonymous.ask('GET', '_ping')
  assert.equal((await announced).status, 200)
  assert.ok(answers > 10, `${answers} answers`)
})

test('an id stands for one content', async () => {
  const other = { ...base, json: base.json.replace('2015', '2016') }
  await admin.ask('PUT', 'repositories/acme/other/', { body: JSON.stringify([{ id: base.id }]) })
  const answer = await admin.ask('PUT', `images/${base.id}/json`, { body: other.json })
  assert.equal(answer.status, 409)
  assert.match(errorOf(answer), /with another content$/)
})

test('nobody changes what others pull by sending an image again with other extended attributes', async () => {
  const image = v1Image('with attributes')
  await pushV1(admin, 'acme/attributes', '1', [image])
  const archive = (records: Readonly<Record<string, string>>) =>
    gzipSync(layerTar([{ name: 'file of with attributes', content: 'content of with attributes', records }]))
  const layer = archive({ 'SCHILY.xattr.security.capability': 'all' })
  // A name that comes before the other one.
  await admin.ask('PUT', 'repositories/aaa/attributes/', { body: JSON.stringify([{ id: image.id }]) })
  await pushV1Image(admin, { ...image, layer, payload: payloadSum(image.json, layer) })
  await admin.ask('PUT', 'repositories/aaa/attributes/tags/1', { body: JSON.stringify(image.id) })
  assert.deepEqual((await admin.ask('GET', `images/${image.id}/layer`)).body, image.layer)
})

test('an image of 16 digits is an image', async () => {
  const id = '0123456789abcdef'
  const json = JSON.stringify({ id })
  const { layer } = base
  const image: V1TestImage = { id, json, layer, payload: payloadSum(json, layer) }
  await pushV1(admin, 'old', 'latest', [image])
  assert.deepEqual((await anonymous.ask('GET', `images/${id}/ancestry`)).json(), [id])
  assert.equal(await statusOf(anonymous, 'GET', 'images/0123/json'), 404)
})

test('what another image name has need not be sent again', async () => {
  const answer = await admin.ask('PUT', 'repositories/acme/copy/', { body: JSON.stringify([{ id: top.id }]) })
  assert.equal(answer.status, 200)
  assert.equal(await statusOf(admin, 'PUT', 'repositories/acme/copy/tags/2.0', JSON.stringify(top.id)), 200)
  assert.equal(await statusOf(admin, 'DELETE', 'repositories/acme/copy/tags/2.0'), 200)
  assert.equal(await statusOf(admin, 'PUT', 'repositories/acme/copy/tags/2.0', JSON.stringify('f'.repeat(64))), 404)
})

test('a tag and an image name are deleted', async () => {
  await pushV1(admin, 'acme/gone', '1', [base])
  await pushV1(admin, 'acme/gone', '2', [base, top])
  assert.equal(await statusOf(admin, 'DELETE', 'repositories/acme/gone/tags/1'), 200)
  const again = await admin.ask('DELETE', 'repositories/acme/gone/tags/1')
  assert.deepEqual([again.status, errorOf(again)], [404, 'Tag not found: 1'])
  assert.deepEqual((await admin.ask('GET', 'repositories/acme/gone/tags')).json(), { '2': top.id })
  assert.equal(await statusOf(anonymous, 'DELETE', 'repositories/acme/gone'), 401)
  assert.equal(await statusOf(admin, 'DELETE', 'repositories/acme/gone'), 200)
  assert.equal(await statusOf(admin, 'GET', 'repositories/acme/gone/tags'), 404)
  assert.equal(await statusOf(admin, 'DELETE', 'repositories/acme/gone/'), 404)
  assert.equal(await statusOf(anonymous, 'GET', `images/${top.id}/json`), 200)
})

test('what made a tag is told', async () => {
  for (const path of ['tags/1.0/json']) {
    const answer = (await anonymous.ask('GET', `repositories/acme/app/${path}`)).json() as Record<string, unknown>
    assert.deepEqual(
      { ...answer, last_update: typeof answer.last_update },
      {
        last_update: 'number',
        docker_version: '1.5.0',
        docker_go_version: null,
        arch: 'arm',
        os: 'linux',
        kernel: null,
      },
    )
  }
  assert.equal(await statusOf(anonymous, 'GET', 'repositories/acme/app/json'), 404)
  assert.deepEqual((await anonymous.ask('GET', 'repositories/acme/app/properties')).json(), { access: 'public' })
})

test('a login is checked by its second step', async () => {
  const body = JSON.stringify({ username: 'admin', password: 'correct horse', auth: '', email: 'a@b.c' })
  for (const path of ['users/', 'users']) {
    const first = await anonymous.ask('POST', path, { body })
    assert.equal(first.status, 401)
    assert.equal(first.headers['www-authenticate'], 'Basic realm="Caisson"')
    assert.deepEqual((await admin.ask('GET', path)).json(), 'OK')
    assert.equal(await statusOf(anonymous.as({ name: 'admin', password: 'wrong' }), 'GET', path), 401)
    assert.equal(await statusOf(anonymous, 'GET', path), 401)
  }
})

test('docker without credentials is anonymous, in its two ways of saying so', async () => {
  for (const authorization of ['Basic Og==', 'Token ', 'Token'])
    assert.equal(await statusOf(anonymous.with({ authorization }), 'GET', `images/${top.id}/json`), 200)
})

test('docker 1.6 to 1.9 that has to log in to a V2 repository is told so by the V1 API, which it asks last', async () => {
  const secret = registry.anonymous.at(at('forced-v2'))
  assert.equal(await statusOf(secret, 'GET', 'repositories/acme/app/images'), 401)
  assert.equal(await statusOf(registry.admin.at(at('forced-v2')), 'GET', 'repositories/acme/app/images'), 404)
})

test('a token is as good as the password for its image name, in whatever way docker says it', async () => {
  const image = v1Image('by token')
  const first = await admin.ask('PUT', 'repositories/acme/token/', {
    headers: { 'x-docker-token': 'true' },
    body: JSON.stringify([{ id: image.id }]),
  })
  const token = String(first.headers['x-docker-token'])
  for (const scheme of ['Token ', 'Token Token ']) {
    const client = anonymous.with({ authorization: `${scheme}${token}` })
    assert.equal(await statusOf(client, 'GET', `images/${image.id}/json`), 404)
    assert.equal(await statusOf(client, 'PUT', `images/${image.id}/json`, image.json), 200)
    assert.equal(await statusOf(client, 'PUT', 'repositories/acme/another/', '[]'), 401)
  }
  await pushV1Image(anonymous.with({ authorization: `Token ${token}` }), image)
  assert.equal(
    await statusOf(anonymous.with({ authorization: 'Token signature=x' }), 'GET', `images/${top.id}/json`),
    401,
  )
})

test('where a login is forced nothing is told without one', async () => {
  const forced = registry.admin.at(at('forced'))
  const without = registry.anonymous.at(at('forced'))
  await pushV1(forced, 'acme/app', '1.0', [base])
  for (const path of ['repositories/acme/app/images', 'repositories/acme/app/tags', `images/${base.id}/json`]) {
    const refused = await without.ask('GET', path)
    assert.equal(refused.status, 401, path)
    assert.equal(refused.headers['www-authenticate'], 'Basic realm="Caisson"')
    assert.equal(await statusOf(forced, 'GET', path), 200)
  }
})

test('an immutable tag stays where it is', async () => {
  const fixed = registry.admin.at(at('fixed'))
  await pushV1(fixed, 'acme/app', '1.0', [base])
  await fixed.ask('PUT', 'repositories/acme/app/', { body: JSON.stringify([{ id: top.id }]) })
  await pushV1Image(fixed, top)
  assert.equal(await statusOf(fixed, 'PUT', 'repositories/acme/app/tags/1.0', JSON.stringify(top.id)), 403)
  assert.equal(await statusOf(fixed, 'PUT', 'repositories/acme/app/tags/1.0', JSON.stringify(base.id)), 200)
  assert.equal(await statusOf(fixed, 'DELETE', 'repositories/acme/app/tags/1.0'), 403)
})

test('what is asked in a wrong way is refused with what was expected', async () => {
  for (const [method, path, status, body] of [
    ['PUT', 'repositories/acme/app/', 400, '{'],
    ['PUT', 'repositories/acme/app/', 400, '{}'],
    ['PUT', 'repositories/acme/app/', 400, '[{"id":7}]'],
    ['PUT', 'repositories/acme/app/tags/1.0', 400, '{}'],
    ['PUT', 'repositories/acme/app/tags/-', 400, '""'],
    ['PUT', 'repositories/ACME/app/', 400, '[]'],
    ['POST', 'repositories/acme/app/', 405, '[]'],
    ['GET', 'nothing', 404, undefined],
    ['GET', `images/${top.id}/nothing`, 404, undefined],
  ] as const) {
    const answer = await admin.ask(method, path, body === undefined ? {} : { body })
    assert.equal(answer.status, status, `${method} ${path}`)
    assert.ok(errorOf(answer).length > 10)
  }
})
