import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { FaultyUpstream, type FaultyUpstreamOptions } from '../../helpers/faulty-upstream.ts'
import { eventually } from '../../helpers/eventually.ts'
import { startTestRegistry, type TestRegistry } from '../../helpers/registry.ts'
import type { Answer, RegistryClient } from '../../helpers/registry-client.ts'
import { descriptor, digestOfBytes, ociManifest, tinyImage } from '../../helpers/tiny-image.ts'
import { redirected, status, tooMany, truncated, withHeaders } from '../../helpers/upstream/faults.ts'
import { addUser, onAccess, target } from '../../helpers/users.ts'

const image = tinyImage('one')
const [config, layer] = image.blobs.map((blob) => digestOfBytes(blob))

interface Settings {
  readonly upstream?: FaultyUpstreamOptions
  readonly remote?: Readonly<Record<string, unknown>>
  /** Besides `docker-local` and `hub`. */
  readonly repositories?: Readonly<Record<string, unknown>>
}

/** A registry with the remote repository `hub`, in front of an upstream that has `team/app:1`. */
async function setUp({ upstream: options, remote = {}, repositories: others = {} }: Settings = {}) {
  await using opened = new AsyncDisposableStack()
  const upstream = opened.use(await FaultyUpstream.start(options))
  upstream.content.push('team/app', '1', image)
  const hub = { type: 'remote', url: upstream.url, assumedOfflinePeriodSecs: 0, ...remote }
  const repositories = { 'docker-local': { type: 'local' }, hub, ...others }
  const registry = opened.use(await startTestRegistry({ repositories }))
  const at = '/artifactory/api/docker/hub/v2'
  const running = opened.move()
  return {
    upstream,
    registry,
    client: registry.anonymous.at(at),
    admin: registry.admin.at(at),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

async function pull(client: RegistryClient, reference = '1'): Promise<readonly Answer[]> {
  const answers = [await client.ask('GET', `team/app/manifests/${reference}`)]
  for (const blob of [config, layer]) answers.push(await client.ask('GET', `team/app/blobs/${blob}`))
  return answers
}

/** The same registry, stopped and started with other settings of `hub`, until it is disposed of. */
async function reconfigured(
  { upstream, registry }: Awaited<ReturnType<typeof setUp>>,
  remote: Readonly<Record<string, unknown>>,
) {
  await registry.running.stop()
  const repositories = { hub: { type: 'remote', url: upstream.url, assumedOfflinePeriodSecs: 0, ...remote } }
  const changed = await startTestRegistry({ repositories }, registry.dataDirectory)
  return {
    client: changed.anonymous.at('/artifactory/api/docker/hub/v2'),
    async [Symbol.asyncDispose]() {
      await changed[Symbol.asyncDispose]()
      await registry.restart()
    },
  }
}

/** A client has a blob whole a moment before the repository keeps it. */
async function kept({ registry }: { readonly registry: TestRegistry }): Promise<void> {
  await eventually('all that came in is kept', async () => {
    using database = new DatabaseSync(join(registry.dataDirectory, 'caisson.db'), { readOnly: true })
    return database.prepare('select 1 from uploads').get() === undefined
  })
}

const caches = (answers: readonly Answer[]) => answers.map(({ headers }) => headers['x-cache'])

test('an image comes from the upstream once, and is the same from then on', async () => {
  await using it = await setUp()
  for (const cache of ['MISS', 'HIT', 'HIT']) {
    const answers = await pull(it.client)
    assert.deepEqual(
      answers.map((answer) => [answer.status, answer.headers['x-cache']]),
      answers.map(() => [200, cache]),
    )
    const [manifest, ...blobs] = answers
    assert.deepEqual(manifest?.body, image.manifest)
    assert.equal(manifest?.headers['content-type'], ociManifest)
    assert.equal(manifest?.headers['docker-content-digest'], image.digest)
    assert.deepEqual(
      blobs.map(({ body }) => body),
      image.blobs,
    )
  }
  assert.equal(it.upstream.count('GET', 'manifest'), 1)
  assert.equal(it.upstream.count('GET', 'blob'), 2)
})

test('what is cached is there after a restart', async () => {
  await using it = await setUp()
  await pull(it.client)
  await it.registry.restart()
  await it.upstream.stop()
  assert.deepEqual(caches(await pull(it.client)), ['STALE', 'HIT', 'HIT'])
  assert.deepEqual(caches(await pull(it.client, image.digest)), ['HIT', 'HIT', 'HIT'])
})

test('a tag is looked after by HEAD when its time is over, and followed when it has moved', async () => {
  await using it = await setUp({ remote: { retrievalCachePeriodSecs: 0 } })
  await pull(it.client)
  assert.equal((await it.client.ask('GET', 'team/app/manifests/1')).headers['x-cache'], 'HIT')
  assert.equal(it.upstream.count('HEAD', 'manifest'), 1)
  assert.equal(it.upstream.count('GET', 'manifest'), 1)
  const head = it.upstream.requests.find(({ method }) => method === 'HEAD')
  assert.equal(head?.headers['if-none-match'], `"${image.digest}"`)

  const moved = tinyImage('two')
  it.upstream.content.push('team/app', '1', moved)
  const answer = await it.client.ask('GET', 'team/app/manifests/1')
  assert.deepEqual([answer.headers['x-cache'], answer.body], ['MISS', moved.manifest])
  // What it was on before is there by its digest, and the tag moves back without the manifest being fetched again.
  it.upstream.content.push('team/app', '1', image)
  assert.deepEqual((await it.client.ask('GET', 'team/app/manifests/1')).body, image.manifest)
  assert.equal(it.upstream.count('GET', 'manifest'), 2)
})

test('a tag is not looked after before its time is over', async () => {
  await using it = await setUp()
  await pull(it.client)
  it.upstream.content.push('team/app', '1', tinyImage('two'))
  assert.deepEqual((await it.client.ask('GET', 'team/app/manifests/1')).body, image.manifest)
  assert.equal(it.upstream.count('HEAD', 'manifest'), 0)
})

test('while the upstream cannot be reached what is cached is served, and says so', async () => {
  await using it = await setUp({ remote: { retrievalCachePeriodSecs: 0 } })
  await pull(it.client)
  await it.upstream.stop()
  const [manifest, ...blobs] = await pull(it.client)
  assert.equal(manifest?.headers['x-cache'], 'STALE')
  assert.match(String(manifest?.headers.warning), /^111 caisson ".*127\.0\.0\.1/)
  assert.deepEqual(caches(blobs), ['HIT', 'HIT'])

  const missed = await it.client.ask('GET', 'team/app/manifests/2')
  assert.deepEqual([missed.status, missed.error()], [404, 'MANIFEST_UNKNOWN'])
  assert.match(missed.body.toString(), /not cached here, and .*127\.0\.0\.1/)
  const blob = await it.client.ask('GET', `team/app/blobs/${digestOfBytes('other')}`)
  assert.deepEqual([blob.status, blob.error()], [404, 'BLOB_UNKNOWN'])
})

test('who is told that the upstream is away does not learn what others asked it for', async () => {
  await using it = await setUp({ remote: { assumedOfflinePeriodSecs: 300, retrievalCachePeriodSecs: 0 } })
  await pull(it.client)
  await it.upstream.stop()
  assert.equal((await it.admin.ask('GET', 'secret/plans/manifests/merger')).status, 404)
  const missed = await it.client.ask('GET', 'team/app/manifests/2')
  assert.match(missed.body.toString(), /is taken to be offline until .*: the connection is refused/)
  const stale = await it.client.ask('GET', 'team/app/manifests/1')
  assert.match(String(stale.headers.warning), /^111 caisson ".*the connection is refused"$/)
  for (const told of [missed.body.toString(), String(stale.headers.warning)]) assert.doesNotMatch(told, /secret|merger/)
})

test('with hardFail what cannot be asked for is 503', async () => {
  await using it = await setUp({ remote: { hardFail: true } })
  await it.upstream.stop()
  for (const path of ['team/app/manifests/1', `team/app/blobs/${layer}`]) {
    const answer = await it.client.ask('GET', path)
    assert.deepEqual([answer.status, answer.error()], [503, 'UNAVAILABLE'])
  }
})

for (const [what, fault] of [
  ['500', status(500)],
  ['429', tooMany('60')],
  ['403', status(403)],
  ['401 without a challenge', status(401)],
] as const)
  test(`a cached tag is served while the upstream answers ${what}`, async () => {
    await using it = await setUp({ remote: { retrievalCachePeriodSecs: 0 } })
    await pull(it.client)
    it.upstream.break('manifest', fault)
    const answer = await it.client.ask('GET', 'team/app/manifests/1')
    assert.deepEqual([answer.status, answer.headers['x-cache'], answer.body], [200, 'STALE', image.manifest])
  })

test('too many requests upstream are that here, with its time to wait', async () => {
  await using it = await setUp()
  it.upstream.break('manifest', tooMany('60'))
  const first = await it.client.ask('GET', 'team/app/manifests/1')
  assert.deepEqual([first.status, first.error()], [429, 'TOOMANYREQUESTS'])
  assert.ok(Number(first.headers['retry-after']) > 50)
  it.upstream.heal()
  // It is obeyed: the upstream is not asked before.
  const second = await it.client.ask('GET', 'team/app/manifests/1')
  assert.equal(second.status, 429)
  assert.equal(it.upstream.count('GET', 'manifest'), 1)
})

test('what the upstream does not have is not asked for again for a while', async () => {
  await using it = await setUp()
  for (let time = 0; time < 3; time++) {
    assert.equal((await it.client.ask('GET', 'team/app/manifests/none')).status, 404)
    assert.equal((await it.client.ask('GET', `team/app/blobs/${digestOfBytes('none')}`)).status, 404)
  }
  assert.equal(it.upstream.count('GET', 'manifest'), 1)
  assert.equal(it.upstream.count('GET', 'blob'), 1)

  await using other = await setUp({ remote: { missedRetrievalCachePeriodSecs: 0 } })
  assert.equal((await other.client.ask('GET', 'team/app/manifests/2')).status, 404)
  other.upstream.content.push('team/app', '2', tinyImage('two'))
  assert.equal((await other.client.ask('GET', 'team/app/manifests/2')).status, 200)
})

test('a tag that the upstream has no more is not there, and comes back with it', async () => {
  await using it = await setUp({ remote: { retrievalCachePeriodSecs: 0, missedRetrievalCachePeriodSecs: 0 } })
  await pull(it.client)
  it.upstream.content.image('team/app').tags.delete('1')
  assert.equal((await it.client.ask('GET', 'team/app/manifests/1')).status, 404)
  assert.equal((await it.client.ask('GET', `team/app/manifests/${image.digest}`)).status, 200)
  it.upstream.content.push('team/app', '1', image)
  assert.equal((await it.client.ask('GET', 'team/app/manifests/1')).status, 200)
})

test('64 clients at once cause one request for the manifest and one for each blob', async () => {
  await using it = await setUp()
  const big = await it.upstream.content.pattern('team/app', 3_000_000)
  const clients = Array.from({ length: 64 })
  const manifests = await Promise.all(clients.map(() => it.client.ask('GET', 'team/app/manifests/1')))
  assert.ok(manifests.every(({ body }) => body.equals(image.manifest)))
  const blobs = await Promise.all(clients.map(() => it.client.ask('GET', `team/app/blobs/${big}`)))
  assert.ok(blobs.every(({ status, body }) => status === 200 && digestOfBytes(body) === big))
  assert.equal(it.upstream.count('GET', 'manifest'), 1)
  assert.equal(it.upstream.count('GET', 'blob'), 1)
})

test('a blob that another image of the upstream has brought is not fetched again, if the upstream has it for this one too', async () => {
  await using it = await setUp()
  await pull(it.client)
  await kept(it)
  it.upstream.content.push('team/other', '1', image)
  assert.equal((await it.client.ask('GET', 'team/other/manifests/1')).status, 200)
  const answer = await it.client.ask('GET', `team/other/blobs/${layer}`)
  assert.deepEqual([answer.status, answer.headers['x-cache']], [200, 'HIT'])
  assert.equal(it.upstream.count('GET', 'blob'), 2)
  assert.equal((await it.client.ask('GET', `team/third/blobs/${layer}`)).status, 404)
})

test('what had come in of a blob goes when another image has brought it meanwhile', async () => {
  await using it = await setUp()
  it.upstream.content.push('team/other', '1', image)
  assert.equal((await it.client.ask('GET', 'team/other/manifests/1')).status, 200)
  const faults = [truncated(4), status(401)]
  it.upstream.break('blob', (answer, path) => faults.shift()?.(answer, path) ?? answer)
  await assert.rejects(it.client.ask('GET', `team/other/blobs/${layer}`))
  assert.equal((await it.registry.uploads()).length, 1)

  await pull(it.client)
  const cached = it.registry.anonymous.at('/artifactory/api/docker/hub-cache/v2')
  await eventually('the blob is kept', async () => (await cached.ask('HEAD', `team/app/blobs/${layer}`)).status === 200)
  assert.equal((await it.client.ask('GET', `team/other/blobs/${layer}`)).headers['x-cache'], 'HIT')
  assert.deepEqual(await it.registry.uploads(), [])
})

test('a blob of this registry is fetched nevertheless: its digest alone gives nothing', async () => {
  await using it = await setUp()
  const secret = Buffer.from('secret')
  const digest = await it.registry.admin.pushBlob('app', secret)
  assert.equal((await it.client.ask('GET', `team/app/blobs/${digest}`)).status, 404)
  it.upstream.content.blob('team/app', secret)
  assert.equal(it.upstream.count('GET', 'blob'), 1)
})

test('HEAD of a blob that is not cached fetches nothing', async () => {
  await using it = await setUp()
  const answer = await it.client.ask('HEAD', `team/app/blobs/${layer}`)
  assert.deepEqual([answer.status, Number(answer.headers['content-length'])], [200, image.blobs[1]?.length])
  assert.equal((await it.client.ask('HEAD', `team/app/blobs/${digestOfBytes('none')}`)).status, 404)
  assert.deepEqual([it.upstream.count('HEAD', 'blob'), it.upstream.count('GET', 'blob')], [2, 0])
})

test('tags, images and referrers are those of the upstream, and what is cached when it is down', async () => {
  await using it = await setUp({ remote: { retrievalCachePeriodSecs: 0 } })
  await pull(it.client)
  const { content } = it.upstream
  for (const tag of ['3', '2', 'latest']) content.push('team/app', tag, image)
  content.push('another', '1', image)
  const signature = tinyImage('signature', {
    subject: descriptor(ociManifest, image.manifest),
    artifactType: 'application/x.signature',
    annotations: { by: 'alice' },
  })
  content.push('team/app', 'sig', signature)
  const list = async (path: string) => (await it.client.ask('GET', path)).json()

  assert.deepEqual(await list('team/app/tags/list'), { name: 'team/app', tags: ['1', '2', '3', 'latest', 'sig'] })
  assert.deepEqual(await list('team/app/tags/list?n=2&last=1'), { name: 'team/app', tags: ['2', '3'] })
  assert.deepEqual(await list('_catalog'), { repositories: ['another', 'team/app'] })
  const referrers = await it.client.ask('GET', `team/app/referrers/${image.digest}`)
  assert.deepEqual((referrers.json() as { readonly manifests: unknown }).manifests, [
    {
      ...descriptor(ociManifest, signature.manifest),
      artifactType: 'application/x.signature',
      annotations: { by: 'alice' },
    },
  ])
  assert.equal((await it.client.ask('GET', 'gone/tags/list')).status, 404)

  await it.upstream.stop()
  assert.deepEqual(await list('team/app/tags/list'), { name: 'team/app', tags: ['1'] })
  assert.deepEqual(await list('_catalog'), { repositories: ['team/app'] })
})

test('nothing can be pushed', async () => {
  await using it = await setUp()
  for (const [method, path] of [
    ['POST', 'team/app/blobs/uploads/'],
    ['PUT', 'team/app/manifests/1'],
  ] as const) {
    const answer = await it.admin.ask(method, path, { headers: { 'content-type': ociManifest }, body: '{}' })
    assert.deepEqual([answer.status, answer.error()], [405, 'UNSUPPORTED'])
    assert.match(answer.body.toString(), /the remote repository \\"hub\\" takes no pushes/)
  }
})

test('what is cached can be deleted, and is fetched again when it is asked for', async () => {
  await using it = await setUp()
  await pull(it.client)
  assert.equal((await it.client.ask('DELETE', 'team/app/manifests/1')).status, 401)
  assert.equal((await it.admin.ask('DELETE', 'team/app/manifests/1')).status, 202)
  assert.equal((await it.admin.ask('DELETE', `team/app/manifests/${image.digest}`)).status, 202)
  assert.equal((await it.admin.ask('DELETE', '/artifactory/hub/team/app')).status, 204)
  assert.deepEqual(caches(await pull(it.client)), ['MISS', 'MISS', 'MISS'])
})

test('an offline repository has what is cached and asks nobody', async () => {
  await using it = await setUp()
  await pull(it.client)
  await using changed = await reconfigured(it, { offline: true })
  const asked = it.upstream.requests.length
  assert.deepEqual(caches(await pull(changed.client)), ['STALE', 'HIT', 'HIT'])
  assert.equal((await changed.client.ask('GET', 'team/app/manifests/2')).status, 404)
  assert.equal(it.upstream.requests.length, asked)
})

test('with storeArtifactsLocally off everything comes from the upstream each time, and nothing is kept', async () => {
  await using it = await setUp({ remote: { storeArtifactsLocally: false } })
  const big = await it.upstream.content.pattern('team/app', 300_000)
  for (let time = 1; time <= 2; time++) {
    assert.deepEqual(caches(await pull(it.client)), ['MISS', 'MISS', 'MISS'])
    assert.equal(it.upstream.count('GET', 'manifest'), time)
  }
  const whole = await it.client.ask('GET', `team/app/blobs/${big}`)
  assert.equal(digestOfBytes(whole.body), big)
  const part = await it.client.ask('GET', `team/app/blobs/${big}`, { headers: { range: 'bytes=1000-1999' } })
  assert.deepEqual([part.status, part.body], [206, whole.body.subarray(1000, 2000)])
  assert.deepEqual(await it.registry.blobs(), [])
  assert.deepEqual(await it.registry.uploads(), [])
})

test('what is not kept comes also from an upstream that says its size to those alone who fetch it', async () => {
  await using it = await setUp({ remote: { storeArtifactsLocally: false } })
  it.upstream.break(
    'blob',
    redirected((path) => it.upstream.elsewhere.url + path),
  )
  it.upstream.break('elsewhere', status(403), 1) // as signed URLs do for HEAD
  const answer = await it.client.ask('GET', `team/app/blobs/${layer}`)
  assert.deepEqual([answer.status, answer.body], [200, image.blobs[1]])
})

test('what is not kept is not there while the upstream cannot be asked', async () => {
  await using it = await setUp()
  await it.client.ask('GET', 'team/app/manifests/1')
  await using changed = await reconfigured(it, { storeArtifactsLocally: false })
  await it.upstream.stop()
  const answer = await changed.client.ask('GET', `team/app/blobs/${layer}`)
  assert.deepEqual([answer.status, answer.error()], [404, 'BLOB_UNKNOWN'])
  assert.match(answer.body.toString(), /not cached here, and .*127\.0\.0\.1/)
})

test('there is what the patterns include, and nothing else', async () => {
  await using it = await setUp({ remote: { includesPattern: 'team/app/*, library/**', excludesPattern: '**/2' } })
  const { content } = it.upstream
  content.push('team/app', '2', tinyImage('two'))
  content.push('secret/app', '1', image)
  assert.equal((await it.client.ask('GET', 'team/app/manifests/1')).status, 200)
  assert.equal((await it.client.ask('GET', `team/app/blobs/${layer}`)).status, 200)
  for (const path of [
    'team/app/manifests/2',
    'secret/app/manifests/1',
    `secret/app/blobs/${layer}`,
    'secret/app/tags/list',
  ])
    assert.equal((await it.client.ask('GET', path)).status, 404, path)
  assert.equal(it.upstream.requests.filter(({ url }) => url.includes('secret/app')).length, 0)
  assert.deepEqual((await it.client.ask('GET', 'team/app/tags/list')).json(), { name: 'team/app', tags: ['1'] })
  assert.deepEqual((await it.client.ask('GET', '_catalog')).json(), { repositories: ['team/app'] })
})

test('who may only read gets what is cached', async () => {
  await using it = await setUp()
  await onAccess(it.registry, async (access) => {
    await access.removeTarget('Any Remote')
    await access.putTarget(
      target('Fetch', { repositories: ['hub'], includes: ['team/**'], users: { admin: ['deploy'] } }),
    )
  })
  const refused = await it.client.ask('GET', 'team/app/manifests/1')
  assert.deepEqual([refused.status, refused.error()], [403, 'DENIED'])
  assert.match(refused.body.toString(), /is not cached in hub, and it is fetched only for those who may deploy there/)
  assert.equal((await it.client.ask('GET', `team/app/blobs/${layer}`)).status, 403)
  for (const list of ['tags/list', `referrers/${image.digest}`]) await it.client.ask('GET', `team/app/${list}`)
  const subject = { mediaType: image.mediaType, digest: image.digest, size: image.manifest.length }
  const signature = tinyImage('signature', { subject })
  it.upstream.content.push('team/app', 'signature', signature)
  const referrers = async () => (await it.client.ask('GET', `team/app/referrers/${image.digest}`)).json()
  const listed = async () => ((await referrers()) as { manifests: { digest: string }[] }).manifests
  assert.deepEqual(await listed(), [])
  assert.equal(it.upstream.requests.length, 0)

  await pull(it.admin)
  await it.admin.ask('GET', 'team/app/manifests/signature')
  await kept(it)
  assert.deepEqual(caches(await pull(it.client)), ['HIT', 'HIT', 'HIT'])
  assert.deepEqual(
    (await listed()).map(({ digest }) => digest),
    [signature.digest],
  )
})

test('who may have nothing fetched can push through a virtual repository nevertheless', async () => {
  const all = { type: 'virtual', members: ['docker-local', 'hub'], deployTo: 'docker-local' }
  await using it = await setUp({ repositories: { all } })
  await onAccess(it.registry, async (access) => {
    await access.removeTarget('Any Remote')
    await access.removeTarget('Anything')
    await access.putTarget(target('Read', { repositories: ['ANY'], users: { alice: ['read'] } }))
    await access.putTarget(target('Push', { repositories: ['docker-local'], users: { alice: ['deploy'] } }))
  })
  const alice = it.registry.anonymous.as(await addUser(it.registry, 'alice')).at('/artifactory/api/docker/all/v2')
  const own = tinyImage('own')
  for (const blob of own.blobs) assert.equal((await alice.ask('HEAD', `own/blobs/${digestOfBytes(blob)}`)).status, 404)
  await alice.push('own', '1', own)
  assert.equal((await alice.ask('GET', 'own/manifests/1')).status, 200)
  assert.equal((await alice.ask('GET', 'team/app/manifests/1')).status, 403)
  assert.equal(it.upstream.requests.length, 0)
})

test('who may read some tags alone sees the images that have one of these here, and the upstream is asked about none', async () => {
  await using it = await setUp()
  for (const name of ['team/a', 'team/b', 'team/c']) it.upstream.content.push(name, '1', image)
  await onAccess(it.registry, async (access) => {
    for (const name of ['Anything', 'Any Remote']) await access.removeTarget(name)
    await access.putTarget(
      target('Some', { repositories: ['hub'], includes: ['team/*/1'], users: { anonymous: ['read', 'deploy'] } }),
    )
  })
  const catalog = async () => (await it.client.ask('GET', '_catalog')).json()
  assert.deepEqual(await catalog(), { repositories: [] })
  assert.equal((await it.client.ask('GET', 'team/b/manifests/1')).status, 200)
  assert.deepEqual(await catalog(), { repositories: ['team/b'] })
  assert.equal(it.upstream.count('GET', 'tags'), 0)
})

test('a name of one segment is that of an official image where there are such', async () => {
  await using it = await setUp({ remote: { addLibrary: true, imagePaths: [{ from: 'mirrored', to: 'team' }] } })
  it.upstream.content.push('library/nginx', '1', image)
  for (const name of ['nginx', 'library/nginx', 'nginx'])
    assert.equal((await it.client.ask('GET', `${name}/manifests/1`)).status, 200, name)
  assert.equal(it.upstream.count('GET', 'manifest'), 1)
  assert.equal((await it.client.ask('GET', 'mirrored/app/manifests/1')).status, 200)
  assert.deepEqual((await it.client.ask('GET', '_catalog')).json(), { repositories: ['library/nginx', 'mirrored/app'] })
})

test('permissions are about the one name that an image has', async () => {
  await using it = await setUp({ remote: { addLibrary: true } })
  it.upstream.content.push('library/secret', '1', image)
  await onAccess(it.registry, async (access) => {
    await access.removeTarget('Any Remote')
    await access.removeTarget('Anything')
    const users = { anonymous: ['read', 'deploy'] as const }
    await access.putTarget(target('Hub', { repositories: ['hub'], excludes: ['library/secret/**'], users }))
  })
  for (const name of ['secret', 'library/secret'])
    assert.notEqual((await it.client.ask('GET', `${name}/manifests/1`)).status, 200, name)
  assert.equal((await it.client.ask('GET', 'team/app/manifests/1')).status, 200)
})

test('a mirror is one of the registry that it caches, by its repository or without', async () => {
  await using it = await setUp({ remote: { namespaces: ['docker.io'] } })
  it.upstream.content.push('library/nginx', '1', image)
  const here = await it.client.ask('GET', 'library/nginx/manifests/1?ns=docker.io')
  assert.deepEqual([here.status, here.headers['oci-namespace']], [200, 'docker.io'])
  assert.equal((await it.client.ask('GET', 'library/nginx/manifests/1?ns=ghcr.io')).status, 404)
  assert.equal((await it.client.ask('GET', `library/nginx/blobs/${layer}?ns=ghcr.io`)).status, 404)

  // As the gateway has it where the path names the repository, and the registry by itself.
  for (const base of ['/artifactory/api/docker/library/v2', '/v2/library', '/v2/hub/library']) {
    const client = it.registry.anonymous.at(base)
    const answer = await client.ask('GET', 'nginx/manifests/1?ns=docker.io')
    assert.deepEqual([answer.status, answer.headers['oci-namespace']], [200, 'docker.io'], base)
    assert.equal((await client.ask('GET', `nginx/blobs/${layer}?ns=docker.io`)).status, 200, base)
  }
  assert.equal((await it.registry.anonymous.at('/v2').ask('GET', 'library/nginx/manifests/1')).status, 404)
})

for (const namespace of ['', '%0d%0aX-Injected:1', '%E2%82%AC', 'a/b', 'a'.repeat(256)])
  test(`what no registry is called is refused as the one that a mirror is for: "${namespace.slice(0, 20)}"`, async () => {
    await using it = await setUp()
    const answer = await it.client.ask('GET', `team/app/manifests/1?ns=${namespace}`)
    assert.deepEqual([answer.status, answer.headers['oci-namespace']], [400, undefined])
    assert.equal(it.upstream.requests.length, 0)
  })

test('a manifest of schema 1 passes, and its layers', async () => {
  await using it = await setUp()
  const body = { schemaVersion: 1, name: 'old', tag: '1', fsLayers: [{ blobSum: layer }], history: [{}] }
  const mediaType = 'application/vnd.docker.distribution.manifest.v1+json'
  const bytes = Buffer.from(JSON.stringify(body))
  it.upstream.content.manifest('old', { mediaType, bytes }, '1')
  it.upstream.content.blob('old', image.blobs[1] ?? Buffer.alloc(0))
  const answer = await it.client.ask('GET', 'old/manifests/1')
  assert.deepEqual([answer.status, answer.headers['content-type'], answer.body], [200, mediaType, bytes])
  assert.equal((await it.client.ask('GET', `old/blobs/${layer}`)).status, 200)
})

test('a layer that lies elsewhere is fetched from where that is allowed', async () => {
  const elsewhere = Buffer.from('layer elsewhere')
  await using layers = await FaultyUpstream.start()
  const digest = layers.content.blob('layers', elsewhere)
  const url = `${layers.url}/v2/layers/blobs/${digest}`
  const mediaType = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'
  const foreign = tinyImage('foreign', { layers: [{ ...descriptor(mediaType, elsewhere), urls: [url] }] })
  for (const [allowed, expected] of [
    [[`${layers.url}/v2/layers/*`], 200],
    [['https://example.com/*'], 404],
    [[], 404],
  ] as const) {
    await using it = await setUp({ remote: { externalDependenciesPatterns: allowed } })
    it.upstream.content.push('windows', '1', foreign)
    assert.equal((await it.client.ask('GET', 'windows/manifests/1')).status, 200)
    for (const method of ['HEAD', 'GET'])
      assert.equal((await it.client.ask(method, `windows/blobs/${digest}`)).status, expected)
  }
})

test('what is counted can be read from the metrics', async () => {
  await using it = await setUp()
  it.upstream.break('manifest', withHeaders({ 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '76;w=21600' }))
  await pull(it.client)
  await pull(it.client)
  const metrics = (await it.registry.admin.ask('GET', '/artifactory/api/v1/metrics')).body.toString()
  assert.match(metrics, /^caisson_cache_requests_total\{repository="hub",kind="manifest",outcome="miss"\} 1$/m)
  assert.match(metrics, /^caisson_cache_requests_total\{repository="hub",kind="blob",outcome="hit"\} 2$/m)
  assert.match(metrics, /^caisson_upstream_requests_total\{repository="hub",outcome="200"\} 3$/m)
  assert.match(metrics, /^caisson_upstream_rate_limit\{repository="hub"\} 100$/m)
  assert.match(metrics, /^caisson_upstream_rate_limit_remaining\{repository="hub"\} 76$/m)
})

test('an image can be fetched whole before anybody asks for it', async () => {
  await using it = await setUp()
  const other = tinyImage('other')
  it.upstream.content.index('multi', '1.0', { 'linux/amd64': image, 'linux/arm64': other })
  const ask = (body: object) =>
    it.admin.ask('POST', '/artifactory/api/docker/hub/pull-through', {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const answer = await ask({ image: 'multi', tags: ['1.*'], platforms: ['linux/arm64'] })
  const lines = answer.body.toString().trim().split('\n')
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { readonly kind?: string }).kind),
    ['manifest', 'manifest', 'blob', 'blob', undefined],
  )
  assert.deepEqual(JSON.parse(lines.at(-1) ?? ''), { done: true })
  await it.upstream.stop()
  assert.equal((await it.client.ask('GET', `multi/manifests/${other.digest}`)).status, 200)
  for (const blob of other.blobs)
    assert.equal((await it.client.ask('GET', `multi/blobs/${digestOfBytes(blob)}`)).status, 200)
  assert.equal((await it.client.ask('GET', `multi/manifests/${image.digest}`)).status, 404)

  const none = await ask({ image: 'none', tags: ['1'] })
  assert.match(
    none.body.toString(),
    /^\{"done":false,"message":"not cached here, and .* the connection is refused"\}\n$/,
  )
  await it.upstream.start()
  const absent = await ask({ image: 'absent', tags: ['1'] })
  assert.deepEqual(absent.json(), { done: false, message: 'there is no such image' })
})

test('what is cached can be seen by a name of its own, without asking anybody', async () => {
  await using it = await setUp()
  it.upstream.content.push('team/app', '2', tinyImage('two'))
  await pull(it.client)
  await kept(it)
  const asked = it.upstream.requests.length
  const cached = it.registry.anonymous.at('/artifactory/api/docker/hub-cache/v2')
  assert.deepEqual((await cached.ask('GET', '_catalog')).json(), { repositories: ['team/app'] })
  assert.deepEqual((await cached.ask('GET', 'team/app/tags/list')).json(), { name: 'team/app', tags: ['1'] })
  assert.deepEqual(caches(await pull(cached)), ['HIT', 'HIT', 'HIT'])
  for (const path of ['team/app/manifests/2', 'other/tags/list', `team/app/blobs/${digestOfBytes('none')}`])
    assert.equal((await cached.ask('GET', path)).status, 404, path)
  const refused = await it.registry.admin.at('/artifactory/api/docker/hub-cache/v2').ask('POST', 'x/blobs/uploads/')
  assert.equal(refused.status, 405)
  assert.equal((await cached.ask('DELETE', '/artifactory/hub-cache/team/app/1')).status, 401)
  assert.equal((await it.registry.admin.ask('DELETE', '/artifactory/hub-cache/team/app/1')).status, 204)
  assert.equal((await cached.ask('GET', 'team/app/manifests/1')).status, 404)
  assert.equal(it.upstream.requests.length, asked)
})
