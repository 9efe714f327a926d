import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { locationOf, type Answer, type RegistryClient } from '../../helpers/registry-client.ts'
import { startTestRegistry } from '../../helpers/registry.ts'
import { descriptor, digestOfBytes, ociManifest, tinyImage, type TinyImage } from '../../helpers/tiny-image.ts'
import { accessToken, addUser, onAccess, target } from '../../helpers/users.ts'

const registry = await startTestRegistry({
  repositories: {
    all: { type: 'virtual', members: ['docker-local', 'docker-prod', 'both'], deployTo: 'docker-local' },
    both: { type: 'virtual', members: ['docker-local', 'closed'] },
    'docker-local': { type: 'local' },
    'docker-prod': { type: 'local' },
    closed: { type: 'local' },
  },
})
after(() => registry[Symbol.asyncDispose]())
const { admin, anonymous } = registry
await onAccess(registry, async (access) => {
  await access.removeTarget('Anything')
  const people = (repositories: readonly string[], ...actions: readonly ('read' | 'deploy' | 'delete')[]) => ({
    repositories,
    users: { alice: actions },
  })
  for (const each of [
    target('local', people(['docker-local'], 'read', 'deploy', 'delete')),
    target('prod', people(['docker-prod'], 'read')),
    target('dev', {
      repositories: ['ANY LOCAL'],
      includes: ['app/dev-*'],
      users: { dev: ['read', 'deploy', 'delete'] },
    }),
    target('dev-prod', { repositories: ['docker-prod'], includes: ['app/**'], users: { dev: ['read'] } }),
    target('blind', { repositories: ['docker-local'], users: { blind: ['deploy'] } }),
  ])
    await access.putTarget(each)
})
const alice = anonymous.as(await addUser(registry, 'alice'))
const dev = anonymous.as(await addUser(registry, 'dev'))
const blind = anonymous.as(await addUser(registry, 'blind'))
const stranger = anonymous.as(await addUser(registry, 'stranger'))

const of = (client: RegistryClient, key: string) => client.at(`/artifactory/api/docker/${key}/v2`)
const [one, two, three] = [tinyImage('one'), tinyImage('two'), tinyImage('three')]
const [prod, closed, local] = [of(admin, 'docker-prod'), of(admin, 'closed'), of(admin, 'docker-local')]
const statusOf = async (client: RegistryClient, method: string, path: string) => (await client.ask(method, path)).status
const listed = async (client: RegistryClient, path: string) => (await client.ask('GET', path)).json()

function layerOf({ blobs: [, layer] }: TinyImage): string {
  return digestOfBytes(layer ?? '')
}

function indexOf(...digests: readonly string[]): TinyImage {
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const manifests = digests.map((digest) => ({ mediaType: ociManifest, digest, size: 10 }))
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }))
  return { mediaType, manifest, digest: digestOfBytes(manifest), blobs: [] }
}

/** As docker does: what is there is not sent. Resolves with what was. */
async function pushLikeDocker(client: RegistryClient, image: string, tag: string, content: TinyImage): Promise<number> {
  let sent = 0
  for (const blob of content.blobs) {
    if ((await statusOf(client, 'HEAD', `${image}/blobs/${digestOfBytes(blob)}`)) === 200) continue
    await client.pushBlob(image, blob)
    sent += 1
  }
  const put = await client.putManifest(image, tag, content)
  assert.equal(put.status, 201, put.body.toString())
  assert.equal(locationOf(put), `http://registry.test${client.base}/${image}/manifests/${content.digest}`)
  return sent
}

test('one address to pull everything from and push to one place', async () => {
  await prod.push('first/app', 'v1', one)
  const all = of(alice, 'all')
  assert.equal(await pushLikeDocker(all, 'first/app', 'v2', two), 2)
  for (const [tag, content] of [
    ['v1', one],
    ['v2', two],
  ] as const) {
    const got = await all.ask('GET', `first/app/manifests/${tag}`)
    assert.equal(got.headers['docker-content-digest'], content.digest)
    for (const blob of content.blobs)
      assert.ok((await all.ask('GET', `first/app/blobs/${digestOfBytes(blob)}`)).body.equals(blob))
  }
  assert.deepEqual(await listed(all, 'first/app/tags/list'), { name: 'first/app', tags: ['v1', 'v2'] })
  assert.equal(await statusOf(local, 'GET', 'first/app/manifests/v2'), 200)
  assert.equal(await statusOf(local, 'GET', 'first/app/manifests/v1'), 404)
  assert.equal(await statusOf(prod, 'GET', 'first/app/manifests/v2'), 404)
})

test('an image that another member has is pushed without sending it, and can be pulled from deployTo whole', async () => {
  await prod.push('promoted', 'v1', three)
  await prod.push('promoted', 'multi', indexOf(three.digest))
  const all = of(alice, 'all')
  assert.equal(await pushLikeDocker(all, 'promoted', 'v2', three), 0)
  const index = indexOf(three.digest)
  assert.equal((await all.putManifest('promoted', 'multi', index)).status, 201)
  for (const path of ['manifests/v2', 'manifests/multi', `blobs/${layerOf(three)}`])
    assert.equal(await statusOf(local, 'GET', `promoted/${path}`), 200, path)
})

test('locations of uploads stay on the virtual address, in path mode too', async () => {
  const bytes = Buffer.from('in two pieces')
  for (const [client, name, base] of [
    [of(alice, 'all'), 'uploaded', '/artifactory/api/docker/all/v2/uploaded'],
    [alice.at('/v2'), 'all/uploaded-too', '/v2/all/uploaded-too'],
  ] as const) {
    const begun = await client.ask('POST', `${name}/blobs/uploads/`)
    assert.ok(locationOf(begun).startsWith(`http://registry.test${base}/blobs/uploads/`), locationOf(begun))
    const first = await client.ask('PATCH', locationOf(begun), { body: bytes.subarray(0, 5) })
    assert.equal(first.headers.range, '0-4')
    assert.equal(await statusOf(client, 'GET', locationOf(begun)), 204)
    const put = `${locationOf(first)}?digest=${digestOfBytes(bytes)}`
    const finished = await client.ask('PUT', put, { body: bytes.subarray(5) })
    assert.equal(locationOf(finished), `http://registry.test${base}/blobs/${digestOfBytes(bytes)}`)
    assert.ok((await client.ask('GET', locationOf(finished))).body.equals(bytes))
  }
})

test('a deletion is one in deployTo: what another member has stays, and shows again', async () => {
  await prod.push('deleted', 'v1', one)
  const all = of(alice, 'all')
  await all.push('deleted', 'v1', two)
  assert.equal(await statusOf(all, 'DELETE', 'deleted/manifests/v1'), 202)
  assert.equal(await statusOf(all, 'DELETE', 'deleted/manifests/v1'), 404)
  const shown = await all.ask('GET', 'deleted/manifests/v1')
  assert.equal(shown.headers['docker-content-digest'], one.digest)
  assert.equal(await statusOf(all, 'DELETE', `deleted/manifests/${one.digest}`), 404)
  assert.equal(await statusOf(all, 'DELETE', `deleted/manifests/${two.digest}`), 202)
  assert.equal(await statusOf(all, 'DELETE', `deleted/blobs/${layerOf(one)}`), 404)
  assert.equal(await statusOf(all, 'DELETE', `deleted/blobs/${layerOf(two)}`), 202)

  await all.push('deleted', 'v3', three)
  const rest = alice.at('/artifactory')
  assert.equal(await statusOf(rest, 'DELETE', '/artifactory/all/deleted/v3'), 204)
  assert.equal(await statusOf(rest, 'DELETE', '/artifactory/all/deleted/v1'), 404)
  assert.equal(await statusOf(rest, 'DELETE', '/artifactory/all/deleted'), 204)
  assert.equal(await statusOf(prod, 'GET', 'deleted/manifests/v1'), 200)
})

test('where there is no deployTo, pushing and deleting are unsupported, and it says why', async () => {
  await local.push('readonly', 'v1', one)
  const both = of(admin, 'both')
  assert.equal(await statusOf(both, 'GET', 'readonly/manifests/v1'), 200)
  const put = () => both.putManifest('readonly', 'v2', one)
  const asked: readonly (readonly [string, () => Promise<Answer>])[] = [
    ['takes no pushes', () => both.ask('POST', 'readonly/blobs/uploads/')],
    ['takes no pushes', put],
    ['has nothing of its own to delete', () => both.ask('DELETE', 'readonly/manifests/v1')],
    ['has nothing of its own to delete', () => both.ask('DELETE', `readonly/blobs/${layerOf(one)}`)],
    ['has nothing of its own to delete', () => admin.ask('DELETE', '/artifactory/both/readonly/v1')],
  ]
  for (const [what, ask] of asked) {
    const answer = await ask()
    assert.equal(answer.status, 405)
    const { errors } = answer.json() as {
      readonly errors: readonly { readonly code: string; readonly message: string }[]
    }
    const message = `the virtual repository "both" ${what}: its configuration names no deployTo`
    assert.deepEqual(errors[0]?.message, message)
  }
})

test('the catalog of a virtual repository is that of what one may read of its members', async () => {
  await prod.push('catalog/prod', 'v1', one)
  await local.push('catalog/local', 'v1', one)
  await closed.push('catalog/closed', 'v1', one)
  const within = async (client: RegistryClient) => {
    const { repositories } = (await listed(of(client, 'all'), '_catalog')) as {
      readonly repositories: readonly string[]
    }
    return repositories.filter((name) => name.startsWith('catalog/'))
  }
  assert.deepEqual(await within(alice), ['catalog/local', 'catalog/prod'])
  assert.deepEqual(await within(admin), ['catalog/closed', 'catalog/local', 'catalog/prod'])
  assert.deepEqual(await within(stranger), [])
  const pages: string[] = []
  let next: string | undefined = '_catalog?n=2'
  while (next !== undefined) {
    const page: Answer = await of(admin, 'all').ask('GET', next)
    const { repositories } = page.json() as { readonly repositories: readonly string[] }
    assert.ok(repositories.length <= 2)
    pages.push(...repositories)
    next = /<(.+)>/.exec(String(page.headers.link ?? ''))?.[1]
  }
  assert.deepEqual(
    pages,
    ((await listed(of(admin, 'all'), '_catalog')) as { readonly repositories: unknown }).repositories,
  )
  assert.deepEqual(pages, [...new Set(pages)].sort())
})

test('a token for the virtual name is good for what its owner may in the members', async () => {
  await prod.push('tokens', 'v1', one)
  await closed.push('tokens', 'v2', two)
  const all = of(alice, 'all')
  const client = of(anonymous, 'all').withToken(await all.token('repository:tokens:pull,push'))
  assert.equal(await statusOf(client, 'GET', 'tokens/manifests/v1'), 200)
  assert.equal(await statusOf(client, 'GET', 'tokens/manifests/v2'), 404)
  await client.push('tokens', 'v3', three)
  assert.equal(await statusOf(client, 'DELETE', 'tokens/manifests/v3'), 401)
  // It names the virtual repository, and none of the members.
  assert.equal(await statusOf(client.at('/artifactory/api/docker/docker-prod/v2'), 'GET', 'tokens/manifests/v1'), 401)
  const challenge = await of(anonymous, 'all').ask('GET', 'tokens/manifests/v1')
  assert.equal(challenge.status, 401)
  assert.match(
    String(challenge.headers['www-authenticate']),
    /\/api\/docker\/all\/v2\/token",.*scope="repository:tokens:pull"/,
  )
})

test('an access token that is limited to the virtual repository is good for what is reached by it alone', async () => {
  await prod.push('limited', 'v1', one)
  const { token } = await accessToken(registry, 'alice', 'artifact:all/limited/**:r,w')
  const client = anonymous.as({ name: 'alice', password: token })
  assert.equal(await statusOf(of(client, 'all'), 'GET', 'limited/manifests/v1'), 200)
  assert.equal(await statusOf(of(client, 'all'), 'GET', `limited/blobs/${layerOf(one)}`), 200)
  assert.equal(await pushLikeDocker(of(client, 'all'), 'limited', 'v2', one), 0)
  assert.equal(await statusOf(of(client, 'docker-prod'), 'GET', 'limited/manifests/v1'), 403)
  assert.equal(await statusOf(of(client, 'docker-local'), 'GET', 'limited/manifests/v2'), 403)
  assert.equal(await statusOf(of(client, 'all'), 'GET', 'tokens/manifests/v1'), 403)
})

test('the audit log names the repository that was changed, and the log also the one that was asked', async () => {
  await of(alice, 'all').push('audited', 'v1', one)
  const { entries } = (await listed(admin, '/artifactory/api/security/audit?type=pushed&image=audited')) as {
    readonly entries: readonly Readonly<Record<string, unknown>>[]
  }
  assert.deepEqual(
    entries.map(({ repository, by }) => [repository, by]),
    [['docker-local', 'alice']],
  )
  const line = registry.log.findLast(({ msg, image }) => msg === 'manifest pushed' && image === 'audited')
  assert.deepEqual([line?.repository, line?.through], ['docker-local', 'all'])
})

// `app` is to `dev` the tags dev-* in docker-local and closed, and all of docker-prod.

const [hidden, shown, elsewhere] = [tinyImage('hidden'), tinyImage('shown'), tinyImage('elsewhere')]
const signature = tinyImage('signature', { subject: descriptor(ociManifest, hidden.manifest) })
for (const client of [local, closed]) {
  await client.push('app', 'v1', hidden)
  await client.push('app', signature.digest, signature)
  await client.push('vault', 'v1', hidden)
}
await local.push('app', 'dev-1', shown)
await prod.push('app', 'v1', elsewhere)
const [hiddenConfig = '', hiddenLayer = ''] = hidden.blobs.map((blob) => digestOfBytes(blob))

test('what one may not read in a member does not show, whatever one may read in the others', async () => {
  const all = of(dev, 'all')
  for (const path of [
    `manifests/${hidden.digest}`,
    `manifests/${signature.digest}`,
    `blobs/${hiddenLayer}`,
    `blobs/${hiddenConfig}`,
  ])
    for (const method of ['GET', 'HEAD', 'DELETE'])
      assert.equal(await statusOf(all, method, `app/${path}`), 404, `${method} ${path}`)
  assert.equal((await all.ask('GET', 'app/manifests/v1')).headers['docker-content-digest'], elsewhere.digest)
  assert.equal((await all.ask('GET', `app/manifests/dev-1`)).headers['docker-content-digest'], shown.digest)
  assert.deepEqual(await listed(all, 'app/tags/list'), { name: 'app', tags: ['dev-1', 'v1'] })
  const { manifests } = (await listed(all, `app/referrers/${hidden.digest}`)) as { readonly manifests: unknown }
  assert.deepEqual(manifests, [])
  assert.deepEqual(await listed(all, '_catalog'), { repositories: ['app'] })
  for (const image of ['vault', 'absent']) assert.equal(await statusOf(all, 'GET', `${image}/tags/list`), 403)
})

test('what one may not read comes by no manifest of their own, pushed through the virtual repository', async () => {
  const all = of(dev, 'all')
  const layers = [{ mediaType: 'application/x.layer', digest: hiddenLayer, size: 15 }]
  for (const own of [indexOf(hidden.digest), indexOf(hiddenLayer), tinyImage('shown', { layers })])
    for (const reference of ['dev-9', own.digest, `${own.digest}?tag=dev-9`]) {
      const refused = await all.putManifest('app', reference, own)
      assert.equal(refused.error(), 'MANIFEST_BLOB_UNKNOWN', reference)
    }
  assert.equal(await statusOf(local, 'GET', 'app/manifests/dev-9'), 404)
})

test('what is hidden in deployTo can be pushed by who has it, and by who may read it elsewhere', async () => {
  const all = of(dev, 'all')
  assert.equal(await pushLikeDocker(all, 'app', 'dev-2', { ...hidden }), 2)
  assert.equal(await statusOf(all, 'DELETE', 'app/manifests/dev-2'), 202)
  await local.push('app', 'v3', elsewhere)
  assert.equal(await pushLikeDocker(all, 'app', 'dev-3', elsewhere), 0)
})

test('what was sent to deployTo itself can be named through the virtual repository, and the other way round', async () => {
  const content = tinyImage('sent by both ways')
  await local.push('app', 'v4', content)
  const [first, second] = content.blobs
  assert.ok(first && second)
  await of(dev, 'docker-local').pushBlob('app', first)
  await of(dev, 'all').pushBlob('app', second)
  assert.equal((await of(dev, 'all').putManifest('app', 'dev-4', content)).status, 201)
})

test('a mount from a virtual repository takes what one may read of its members', async () => {
  const mounted = async (client: RegistryClient, blob: string, from: string) => {
    const answer = await client.ask('POST', `app/blobs/uploads/?mount=${blob}&from=${from}`)
    if (answer.status === 202) assert.equal(await statusOf(client, 'DELETE', locationOf(answer)), 204)
    return answer.status
  }
  for (const from of ['app', 'all/app', 'both/app', 'vault', 'all/vault', 'closed/app'])
    assert.equal(await mounted(of(dev, 'all'), hiddenLayer, from), 202, from)
  const spare = await prod.pushBlob('app', Buffer.from('in prod alone'))
  for (const [target, from] of [
    ['all', 'app'],
    ['docker-local', 'all/app'],
  ] as const) {
    assert.equal(await mounted(of(dev, target), spare, from), 201, from)
    assert.equal(await statusOf(local, 'DELETE', `app/blobs/${spare}`), 202)
  }
})

test('one who may push and read nothing is told what there is in deployTo, and no more', async () => {
  const all = of(blind, 'all')
  assert.equal(await statusOf(all, 'HEAD', 'app/manifests/dev-1'), 200)
  assert.equal(await statusOf(all, 'HEAD', `app/blobs/${hiddenLayer}`), 200)
  assert.equal(await statusOf(all, 'HEAD', `app/blobs/${layerOf(elsewhere)}`), 200)
  await prod.push('app', 'v5', tinyImage('in prod'))
  assert.equal(await statusOf(all, 'HEAD', `app/blobs/${layerOf(tinyImage('in prod'))}`), 404)
  assert.equal(await statusOf(all, 'GET', 'app/manifests/dev-1'), 403)
  assert.equal(await pushLikeDocker(all, 'app', 'v6', tinyImage('in prod')), 2)
})

test('who may read nothing of any member is refused', async () => {
  const all = of(stranger, 'all')
  for (const path of [
    'app/manifests/v1',
    'app/tags/list',
    `app/blobs/${hiddenLayer}`,
    `app/referrers/${hidden.digest}`,
  ])
    assert.equal(await statusOf(all, 'GET', path), 403, path)
})

test('the REST list of repositories has the virtual ones in which one may read', async () => {
  const keys = async (client: RegistryClient) =>
    ((await listed(client, '/artifactory/api/repositories')) as readonly { readonly key: string }[]).map(
      ({ key }) => key,
    )
  assert.deepEqual(await keys(alice), ['all', 'both', 'docker-local', 'docker-prod'])
  assert.deepEqual(await keys(stranger), [])
})
