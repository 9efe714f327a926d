import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { z } from 'zod'
import { isObject } from '../../../registry/domain/json.ts'
import { eventually } from '../../helpers/eventually.ts'
import { startTestRegistry } from '../../helpers/registry.ts'
import type { RegistryClient } from '../../helpers/registry-client.ts'
import { digestOfBytes, tinyImage } from '../../helpers/tiny-image.ts'
import { addUser, onAccess, target } from '../../helpers/users.ts'
import { payloadSum, pushV1, v1Image, type V1TestImage } from '../../helpers/v1-client.ts'

const registry = await startTestRegistry({
  repositories: {
    'docker-v1': { type: 'local', apiVersion: 'v1' },
    'docker-local': { type: 'local' },
    'docker-fixed': { type: 'local', immutableTags: ['**/fixed'] },
    'docker-dev': { type: 'local' },
    'docker-small': { type: 'local', quota: '1KiB' },
    hub: { type: 'remote', url: 'https://registry-1.docker.io' },
    all: { type: 'virtual', members: ['docker-local', 'hub'], deployTo: 'docker-local' },
  },
})
after(() => registry[Symbol.asyncDispose]())

const { admin } = registry
const v1 = admin.at('/artifactory/api/docker/docker-v1/v1')
const inLocal = admin.at('/artifactory/api/docker/docker-local/v2')

const schema2 = 'application/vnd.docker.distribution.manifest.v2+json'
const base = v1Image('base', undefined, { container_config: { Cmd: ['/bin/sh', '-c', '#(nop) ADD file:1 in /'] } })
const app = v1Image('app', base, {
  docker_version: '1.9.1',
  author: 'A <a@b.c>',
  config: { Labels: { team: 'docks' }, Cmd: ['app'] },
  architecture: 'amd64',
  os: 'linux',
})
await pushV1(v1, 'team/app', '1.0', [base, app])
await pushV1(v1, 'team/app', 'base', [base])
await pushV1(v1, 'ubuntu', '12.04', [base])

const reportForm = z.object({
  id: z.string(),
  state: z.string(),
  total: z.number().optional(),
  migrated: z.number(),
  thereAlready: z.number(),
  failed: z.number(),
  tags: z.array(
    z.object({
      image: z.string(),
      tag: z.string(),
      outcome: z.string(),
      digest: z.string().optional(),
      reason: z.string().optional(),
    }),
  ),
})

async function ask(body: object, client: RegistryClient = v1) {
  return client.ask('POST', 'migrate', {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

async function migrate(body: object, client: RegistryClient = v1) {
  const answer = await ask(body, client)
  assert.equal(answer.status, 200, answer.body.toString())
  return reportForm.parse(answer.json())
}

/** As a client pulls it. */
async function pull(client: RegistryClient, image: string, tag: string, accept = schema2) {
  const answer = await client.ask('GET', `${image}/manifests/${tag}`, { headers: { accept } })
  assert.equal(answer.status, 200, answer.body.toString())
  const manifest = z
    .object({ config: z.object({ digest: z.string() }), layers: z.array(z.object({ digest: z.string() })) })
    .parse(answer.json())
  const bytesOf = async (digest: string) => {
    const blob = await client.ask('GET', `${image}/blobs/${digest}`)
    assert.equal(blob.status, 200)
    return blob.body
  }
  const config: unknown = JSON.parse((await bytesOf(manifest.config.digest)).toString())
  assert.ok(isObject(config))
  return { answer, config, layers: await Promise.all(manifest.layers.map(({ digest }) => bytesOf(digest))) }
}

test('a tag of a V1 repository can be pulled from a V2 repository: the same layers, what was known of the image, and its history', async () => {
  const report = await migrate({ targetRepo: 'docker-local', dockerRepository: 'team/app', tag: '1.0' })
  const { answer, config, layers } = await pull(inLocal, 'team/app', '1.0')
  const digest = answer.headers['docker-content-digest']
  assert.deepEqual([report.state, report.total, report.migrated, report.failed], ['done', 1, 1, 0])
  assert.deepEqual(report.tags, [{ image: 'team/app', tag: '1.0', outcome: 'migrated', digest }])
  assert.equal(answer.headers['content-type'], schema2)
  assert.deepEqual(layers, [base.layer, app.layer])
  assert.deepEqual(config, {
    architecture: 'amd64',
    author: 'A <a@b.c>',
    config: { Labels: { team: 'docks' }, Cmd: ['app'] },
    created: '2015-06-01T12:00:00Z',
    docker_version: '1.9.1',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => digestOfBytes(gunzipSync(layer))) },
    history: [
      { created: '2015-06-01T12:00:00Z', created_by: '/bin/sh -c #(nop) ADD file:1 in /' },
      { created: '2015-06-01T12:00:00Z', author: 'A <a@b.c>' },
    ],
  })
  assert.equal((await inLocal.ask('GET', 'team/app/manifests/base')).status, 404, 'it was not asked for')
})

test('a whole repository is migrated, the source stays, and done again nothing changes', async () => {
  const blobs = async () => (await registry.blobs()).toSorted()
  const first = await migrate({ targetRepo: 'docker-local' })
  assert.deepEqual(
    first.tags.map(({ image, tag }) => `${image}:${tag}`),
    ['library/ubuntu:12.04', 'team/app:1.0', 'team/app:base'],
  )
  const before = await blobs()
  const again = await migrate({ targetRepo: 'docker-local', dockerRepository: '', tag: '' })
  assert.deepEqual([again.migrated, again.thereAlready, again.failed], [0, 3, 0])
  assert.deepEqual(
    again.tags.map(({ digest }) => digest),
    first.tags.map(({ digest }) => digest),
  )
  assert.deepEqual(await blobs(), before)
  assert.deepEqual((await v1.ask('GET', 'repositories/team/app/tags')).json(), { '1.0': app.id, base: base.id })
  assert.deepEqual(await registry.uploads(), [])
})

test('a name of one component is known by both its spellings, and can go without library', async () => {
  for (const [dockerRepository, library, image] of [
    ['ubuntu', 'keep', 'library/ubuntu'],
    ['library/ubuntu', 'drop', 'ubuntu'],
  ] as const) {
    await migrate({ targetRepo: 'docker-local', dockerRepository, tag: '12.04', library })
    assert.equal((await inLocal.ask('GET', `${image}/manifests/12.04`)).status, 200, image)
  }
})

test('for old clients it becomes a signed manifest of schema 1, with the digest of before when it is made again', async () => {
  const wish = { tagetRepo: 'docker-fixed', dockerRepository: 'team/app', tag: '1.0', format: 'schema1' }
  const { tags } = await migrate(wish)
  const answer = await admin.at('/artifactory/api/docker/docker-fixed/v2').ask('GET', 'team/app/manifests/1.0')
  assert.equal(answer.headers['content-type'], 'application/vnd.docker.distribution.manifest.v1+prettyjws')
  const manifest = z
    .object({
      name: z.string(),
      tag: z.string(),
      fsLayers: z.array(z.object({ blobSum: z.string() })),
      history: z.array(z.object({ v1Compatibility: z.string() })),
    })
    .parse(answer.json())
  assert.deepEqual([manifest.name, manifest.tag], ['team/app', '1.0'])
  assert.deepEqual(
    manifest.fsLayers.map(({ blobSum }) => blobSum),
    [app.layer, base.layer].map((layer) => digestOfBytes(layer)),
  )
  assert.deepEqual(
    manifest.history.map(({ v1Compatibility }) => v1Compatibility),
    [app.json, base.json],
  )
  assert.equal(answer.headers['docker-content-digest'], tags[0]?.digest)
  assert.deepEqual((await migrate(wish)).tags, [{ ...tags[0], outcome: 'there already' }])
})

/** With a layer that is packed otherwise, or with a short id. */
function imageOf(name: string, layer: Buffer, fields: object = {}): V1TestImage {
  const id = hash('sha256', `id of ${name}`, 'hex')
  const json = JSON.stringify({ id, created: '2013-01-01T00:00:00Z', ...fields })
  return { id: (JSON.parse(json) as { id: string }).id, json, layer, payload: payloadSum(json, layer) }
}

test('layers in other compressions come to be in gzip, the same each time', async () => {
  const tar = Buffer.alloc(20_000, 'some bytes of a tar ')
  await pushV1(v1, 'old/plain', '1', [imageOf('plain', tar)])
  await pushV1(v1, 'old/xz', '1', [imageOf('xz', execFileSync('xz', ['--stdout'], { input: tar }))])
  await pushV1(v1, 'old/bzip2', '1', [imageOf('bzip2', execFileSync('bzip2', ['--stdout'], { input: tar }))])
  for (const dockerRepository of ['old/plain', 'old/xz', 'old/bzip2']) {
    const { failed, tags } = await migrate({ targetRepo: 'docker-local', dockerRepository })
    assert.deepEqual([failed, tags.length], [0, 1])
    const { config, layers } = await pull(inLocal, dockerRepository, '1')
    assert.deepEqual(config.rootfs, { type: 'layers', diff_ids: [digestOfBytes(tar)] })
    assert.ok(gunzipSync(layers[0] ?? Buffer.of()).equals(tar))
    const again = await migrate({ targetRepo: 'docker-local', dockerRepository })
    assert.deepEqual(again.tags, [{ ...tags[0], outcome: 'there already' }])
  }
})

test('after a restart, and in another registry, the digests are those of before', async () => {
  const repositories = {
    'docker-v1': { type: 'local', apiVersion: 'v1' },
    'docker-local': { type: 'local' },
    'docker-dev': { type: 'local' },
  }
  const packed = v1Image('packed', base)
  const tar = gunzipSync(packed.layer)
  const plain = { ...packed, layer: tar, payload: payloadSum(packed.json, tar) }
  const digestsIn = async (client: RegistryClient, targetRepo: string) => {
    const { tags } = await migrate({ targetRepo }, client)
    return tags.map(({ digest, reason }) => digest ?? reason)
  }
  const pushed = async () => {
    const registry = await startTestRegistry({ repositories })
    const client = registry.admin.at('/artifactory/api/docker/docker-v1/v1')
    await pushV1(client, 'team/app', '1', [base, app])
    await pushV1(client, 'team/plain', '1', [base, plain])
    return { registry, client }
  }
  const one = await pushed()
  await using first = one.registry
  const before = await digestsIn(one.client, 'docker-local')
  await first.restart()
  assert.deepEqual(await digestsIn(one.client, 'docker-dev'), before)
  const other = await pushed()
  await using _second = other.registry
  assert.deepEqual(await digestsIn(other.client, 'docker-local'), before)
})

test('what cannot go is told tag by tag, and the rest goes on', async () => {
  await pushV1(v1, 'broken', 'short', [imageOf('short', gzipSync('short'), { id: '0123456789abcdef' })])
  await pushV1(v1, 'broken', 'gzip', [imageOf('no gzip', Buffer.concat([gzipSync('x').subarray(0, 12)]))])
  await pushV1(v1, 'broken', 'time', [imageOf('time', gzipSync('time'), { created: 'yesterday' })])
  await pushV1(v1, 'broken', 'good', [imageOf('good', gzipSync('good'))])
  const outcomes = async (format: string) => {
    const { state, tags } = await migrate({ targetRepo: 'docker-local', dockerRepository: 'broken', format })
    assert.equal(state, 'done')
    return Object.fromEntries(tags.map(({ tag, outcome, reason }) => [tag, reason ?? outcome]))
  }
  const asSchema2 = await outcomes('schema2')
  assert.deepEqual([asSchema2.good, asSchema2.short], ['migrated', 'migrated'])
  assert.match(
    asSchema2.gzip ?? '',
    /^the layer sha256:[0-9a-f]{64} cannot be unpacked: its bytes are damaged, or no gzip$/,
  )
  assert.match(asSchema2.time ?? '', /^the JSON of the image: created: expected a time like /)
  const asSchema1 = await outcomes('schema1')
  assert.match(asSchema1.short ?? '', /0123456789abcdef has a short id/)
  assert.equal(asSchema1.good, 'migrated')
})

test('immutable tags and the quota of the target are kept to', async () => {
  await pushV1(v1, 'team/limits', 'fixed', [imageOf('fixed', gzipSync('fixed'))])
  await admin.at('/artifactory/api/docker/docker-fixed/v2').push('team/limits', 'fixed', tinyImage('another'))
  const [fixed] = (await migrate({ targetRepo: 'docker-fixed', dockerRepository: 'team/limits' })).tags
  assert.match(fixed?.reason ?? '', /immutable/)

  const big = Buffer.from(Array.from({ length: 4000 }, (_, at) => at % 251))
  await pushV1(v1, 'team/limits', 'big', [imageOf('big', gzipSync(big, { level: 0 }))])
  const small = await migrate({ targetRepo: 'docker-small', dockerRepository: 'team/limits' })
  assert.match(small.tags.find(({ tag }) => tag === 'big')?.reason ?? '', /quota/)
  assert.equal(small.tags.find(({ tag }) => tag === 'fixed')?.outcome, 'migrated')
})

test('it needs read on the source and deploy on the target, and delete to take a tag from what it is on; the audit log tells it', async () => {
  const dev = v1.as(await addUser(registry, 'dev'))
  await onAccess(registry, async (access) => {
    await access.putTarget(target('Anything', { groups: {} }))
    await access.putTarget({
      ...target('v1', { users: { dev: ['read'] } }),
      repositories: ['docker-v1'],
      includes: ['team/app/**'],
    })
    await access.putTarget({
      ...target('v2', { users: { dev: ['read', 'deploy'] } }),
      repositories: ['docker-dev'],
      includes: ['team/app/1*'],
    })
  })
  const report = await migrate({ targetRepo: 'docker-dev' }, dev)
  assert.deepEqual(
    report.tags.map(({ image, tag, outcome, reason }) => [`${image}:${tag}`, reason ?? outcome]),
    [
      ['team/app:1.0', 'migrated'],
      ['team/app:base', 'dev may not deploy team/app:base in docker-dev'],
    ],
    'of what it may not read it hears nothing',
  )
  const small = admin.at('/artifactory/api/docker/docker-dev/v2')
  await small.push('team/app', '1.0', tinyImage('another'))
  const taken = await migrate({ targetRepo: 'docker-dev', dockerRepository: 'team/app', tag: '1.0' }, dev)
  assert.match(taken.tags[0]?.reason ?? '', /tag/)
  assert.equal((await ask({ targetRepo: 'docker-dev', dockerRepository: 'ubuntu' }, dev)).status, 404)
  assert.equal((await ask({ targetRepo: 'docker-dev' }, registry.anonymous.at(v1.base))).status, 401)
  const seen = await dev.ask(
    'GET',
    `migrate/${(await migrate({ targetRepo: 'docker-local', dockerRepository: 'ubuntu' })).id}`,
  )
  assert.equal(seen.status, 404, 'what others have begun')

  const audit = join(registry.dataDirectory, 'audit', 'audit.jsonl')
  await eventually('the audit log tells of it', async () => {
    const lines = (await readFile(audit, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
    const mine = lines.filter((line) => 'by' in line && line.by === 'dev' && 'type' in line && line.type === 'pushed')
    if (mine.length === 0) return false
    assert.deepEqual(
      mine.map((line) => ({ ...line, at: 0, requestId: 0, digest: 0, address: 0 })),
      [
        {
          type: 'pushed',
          by: 'dev',
          with: 'password',
          repository: 'docker-dev',
          image: 'team/app',
          tags: ['1.0'],
          reason: 'migrated from docker-v1',
          at: 0,
          requestId: 0,
          digest: 0,
          address: 0,
        },
      ],
    )
    return true
  })
})

test('one that is not waited for is told of while it runs and when it has ended', async () => {
  const begun = await ask({ targetRepo: 'all', async: true })
  assert.equal(begun.status, 202)
  const { id, state } = reportForm.parse(begun.json())
  assert.equal(state, 'running')
  assert.equal(begun.headers.location, `migrate/${id}`)
  const second = await ask({ targetRepo: 'docker-local' })
  assert.deepEqual([second.status, second.error()], [409, 'DENIED'])
  await eventually('the migration ends', async () => {
    const report = reportForm.parse((await v1.ask('GET', `migrate/${id}`)).json())
    if (report.state === 'running') return false
    assert.deepEqual([report.state, report.total], ['done', report.tags.length])
    return true
  })
  const { migrations } = z
    .object({ migrations: z.array(reportForm.omit({ tags: true }).extend({ source: z.string(), target: z.string() })) })
    .parse((await v1.ask('GET', 'migrate')).json())
  assert.deepEqual([migrations[0]?.id, migrations[0]?.source, migrations[0]?.target], [id, 'docker-v1', 'docker-local'])
})

test('a wish that cannot be meant is refused, and the message says what was expected', async () => {
  for (const [body, status, message] of [
    [{}, 400, /^targetRepo: expected the key of the V2 repository/],
    [{ targetRepo: 'docker-local', dockerRepo: 'x' }, 400, /^unknown field "dockerRepo".*dockerRepository/],
    [{ targetRepo: 'docker-local', tag: '1' }, 400, /^dockerRepository: expected the image/],
    [{ targetRepo: 'docker-local', dockerRepository: 'A' }, 400, /^dockerRepository: expected an image/],
    [{ targetRepo: 'docker-local', format: 'oci' }, 400, /^format: expected schema2 or schema1/],
    [{ targetRepo: 'docker-v1' }, 400, /^targetRepo: docker-v1 speaks the V1 API/],
    [{ targetRepo: 'hub' }, 405, /hub/],
    [{ targetRepo: 'nowhere' }, 404, /^there is no repository "nowhere"/],
    [{ targetRepo: 'docker-local', dockerRepository: 'no/such' }, 404, /^there is no no\/such in docker-v1/],
    [
      { targetRepo: 'docker-local', dockerRepository: 'team/app', tag: '9' },
      404,
      /^there is no team\/app:9 in docker-v1/,
    ],
  ] as const) {
    const answer = await ask(body)
    assert.equal(answer.status, status, JSON.stringify(body))
    const [error] = z.object({ errors: z.array(z.object({ message: z.string() })) }).parse(answer.json()).errors
    assert.match(error?.message ?? '', message)
  }
  const local = await ask({ targetRepo: 'docker-local' }, admin.at('/artifactory/api/docker/docker-local/v1'))
  assert.deepEqual([local.status, local.error()], [405, 'UNSUPPORTED'])
  assert.equal((await v1.ask('GET', 'migrate/00000000-0000-0000-0000-000000000000')).status, 404)
})
