import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair, importJWK, SignJWT, type JWK } from 'jose'
import { z } from 'zod'
import { hashPassword } from '../../../registry/identity/passwords.ts'
import { RawConnection } from '../../helpers/raw-connection.ts'
import { locationOf, type Answer, type RegistryClient } from '../../helpers/registry-client.ts'
import { admin as adminLogin, localV2, startTestRegistry } from '../../helpers/registry.ts'
import { descriptor, digestOfBytes, ociManifest, tinyImage, type TinyImage } from '../../helpers/tiny-image.ts'
import { accessToken, addUser, onAccess, target, userNamed } from '../../helpers/users.ts'

const registry = await startTestRegistry({
  repositories: {
    'docker-local': { type: 'local' },
    'docker-prod': { type: 'local' },
    all: { type: 'virtual', members: ['docker-prod', 'docker-local'], deployTo: 'docker-local' },
  },
})
after(() => registry[Symbol.asyncDispose]())
const { admin, anonymous } = registry
const rest = anonymous.at('/artifactory')

await onAccess(registry, async (access) => {
  for (const name of ['Anything', 'Any Remote']) await access.removeTarget(name)
  const inLocal = { repositories: ['docker-local'] }
  for (const each of [
    target('public', { ...inLocal, includes: ['public/**'], users: { anonymous: ['read'] } }),
    target('part', { ...inLocal, includes: ['*/dev-*'], groups: { devs: ['read', 'deploy', 'delete'] } }),
    target('team', { ...inLocal, includes: ['team/**'], groups: { devs: ['read', 'deploy'] } }),
    target('pusher', { ...inLocal, includes: ['app/**'], users: { pusher: ['deploy'], mixed: ['deploy'] } }),
    target('mixed', { ...inLocal, includes: ['app/dev-*'], users: { mixed: ['read'] } }),
  ])
    await access.putTarget(each)
})
const dev = anonymous.as(await addUser(registry, 'dev', ['devs']))
const mallory = anonymous.as(await addUser(registry, 'mallory'))
const pusher = anonymous.as(await addUser(registry, 'pusher'))
const mixed = anonymous.as(await addUser(registry, 'mixed'))

const [hidden, shown, open] = [tinyImage('hidden'), tinyImage('shown'), tinyImage('open')]
const signature = tinyImage('signature', { subject: descriptor(ociManifest, hidden.manifest) })
for (const image of ['closed', 'app', 'vault']) {
  await admin.push(image, 'v1', hidden)
  await admin.push(image, signature.digest, signature)
}
await admin.push('app', 'dev-1', shown)
await admin.push('public/hello', '1', open)
await admin.at('/artifactory/api/docker/docker-prod/v2').push('closed', 'v1', hidden)
const [hiddenConfig = '', hiddenLayer = ''] = hidden.blobs.map((blob) => digestOfBytes(blob))
const nobodyHas = digestOfBytes('nobody has this')

async function statusOf(client: RegistryClient, method: string, path: string): Promise<number> {
  return (await client.ask(method, path)).status
}

function asText({ status, headers, body }: Answer): string {
  const { date: _, ...rest } = headers
  return JSON.stringify([status, rest, body.toString()])
}

// Tokens that were not signed by us for what they say.

const genuine = await admin.token('repository:public/hello:pull')
const [kept] = await onAccess(registry, (access) => access.listSigningKeys())
assert.ok(kept)
const { id: kid, jwk } = kept
const { d: _d, ...publicJwk } = JSON.parse(jwk) as JWK
const ours = await importJWK(JSON.parse(jwk) as JWK, 'ES256')
const foreign = await generateKeyPair('ES256', { extractable: true })
const genuineClaims = decodeJwt(genuine)
const everything = {
  access: [{ repository: 'docker-local', image: 'closed', actions: ['read', 'deploy', 'delete'] }],
  catalog: true,
}
const secondsNow = Math.floor(Date.now() / 1000)
const wide = { ...genuineClaims, ...everything }

type SigningKey = Parameters<SignJWT['sign']>[0]

async function signed(claims: object, header: object, key: SigningKey = ours): Promise<string> {
  return new SignJWT({ ...claims }).setProtectedHeader({ alg: 'ES256', ...header }).sign(key)
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

test('a token that our key has signed is good for what it says, which shows that the forgeries below fail for the right reason', async () => {
  const client = anonymous.withToken(await signed(wide, { kid }))
  assert.equal(await statusOf(client, 'GET', 'closed/manifests/v1'), 200)
})

const [head = '', , sealed = ''] = genuine.split('.')
const publicText = JSON.stringify({ ...publicJwk, kid, alg: 'ES256', use: 'sig' })
for (const [what, forge] of [
  ['whose payload was edited', () => `${head}.${encoded(wide)}.${sealed}`],
  ['with alg none', () => `${encoded({ alg: 'none', typ: 'JWT', kid })}.${encoded(wide)}.`],
  ['with alg None', () => `${encoded({ alg: 'None', typ: 'JWT', kid })}.${encoded(wide)}.${sealed}`],
  ['without a signature', () => `${head}.${encoded(wide)}.`],
  ['with HS256 and the public key as the secret', () => signed(wide, { alg: 'HS256', kid }, Buffer.from(publicText))],
  [
    'with HS256 and a coordinate of the public key as the secret',
    () => signed(wide, { alg: 'HS256', kid }, Buffer.from(String(publicJwk.x), 'base64url')),
  ],
  ['of another key under the id of ours', () => signed(wide, { kid }, foreign.privateKey)],
  ['of another key without an id', () => signed(wide, {}, foreign.privateKey)],
  [
    'that brings its own key',
    async () => signed(wide, { kid, jwk: await exportJWK(foreign.publicKey) }, foreign.privateKey),
  ],
  ['that names a place for its key', () => signed(wide, { kid, jku: 'https://evil.test/keys' }, foreign.privateKey)],
  ['without the id of a key', () => signed(wide, {})],
  ['with an id that is no text', () => signed(wide, { kid: 1 as unknown as string })],
  ['with the id __proto__', () => signed(wide, { kid: '__proto__' })],
  ['that has expired', () => signed({ ...wide, exp: secondsNow - 1 }, { kid })],
  ['that does not say when it expires', () => signed({ ...wide, exp: undefined }, { kid })],
  ['that is not good yet', () => signed({ ...wide, nbf: secondsNow + 60 }, { kid })],
  ['of another issuer', () => signed({ ...wide, iss: 'https://evil.test' }, { kid })],
  ['with claims of another version', () => signed({ ...wide, access: 'everything' }, { kid })],
  [
    'with an image that is none',
    () => signed({ ...wide, access: [{ ...everything.access[0], image: '../x' }] }, { kid }),
  ],
] as const)
  test(`a token ${what} is no token`, async () => {
    const client = anonymous.withToken(await forge())
    for (const path of ['closed/manifests/v1', 'public/hello/manifests/1', '_catalog', '']) {
      const refused = await client.ask('GET', path)
      assert.equal(refused.status, 401, path)
      assert.equal(refused.error(), 'UNAUTHORIZED')
      assert.match(String(refused.headers['www-authenticate']), /^Bearer realm=/)
    }
    assert.equal(await statusOf(client.at('/artifactory'), 'GET', 'api/repositories'), 401)
  })

test('a token is worth nothing on the same image of another repository, however it is addressed', async () => {
  const client = anonymous.withToken(await admin.token('repository:closed:pull,push,delete'))
  assert.equal(await statusOf(client, 'GET', 'closed/manifests/v1'), 200)
  for (const path of [
    '/v2/docker-prod/closed/manifests/v1',
    '/artifactory/api/docker/v2/docker-prod/closed/manifests/v1',
    '/artifactory/api/docker/docker-prod/v2/closed/manifests/v1',
  ])
    assert.equal(await statusOf(client, 'GET', path), 401, path)
  assert.equal(await statusOf(client, 'DELETE', '/artifactory/docker-prod/closed/v1'), 401)
})

test('a token does not do more than its user may, whatever was asked for', async () => {
  for (const scopes of [['repository:closed:*'], ['repository:closed:pull,push,delete', 'repository:app:*']]) {
    const token = await mallory.token(...scopes)
    assert.deepEqual(decodeJwt(token)['access'], [])
    assert.equal(await statusOf(anonymous.withToken(token), 'GET', 'closed/manifests/v1'), 403)
  }
  const { kid: signedBy } = decodeProtectedHeader(genuine)
  const widened = await signed(
    { ...wide, sub: 'mallory', pw: decodeJwt(await mallory.token())['pw'] },
    { kid: signedBy },
  )
  assert.equal(await statusOf(anonymous.withToken(widened), 'GET', 'closed/manifests/v1'), 403)
})

// Paths.

for (const [path, status] of [
  ['/v2/docker-local/public/%2e%2e/closed/manifests/v1', 400],
  ['/v2/docker-local/public/%2E./closed/manifests/v1', 400],
  ['/v2/docker-local/public/../closed/manifests/v1', 400],
  ['/v2/docker-local/./closed/manifests/v1', 400],
  ['/v2/docker-local//closed/manifests/v1', 400],
  ['//v2/docker-local/closed/manifests/v1', 400],
  ['/v2/docker-local%2fclosed/manifests/v1', 400],
  ['/v2/docker-local/public%2F..%2Fclosed/manifests/v1', 400],
  ['/v2/docker-local/public/..;/closed/manifests/v1', 400],
  ['/v2/docker-local/closed;x=1/manifests/v1', 400],
  ['/v2/docker-local/CLOSED/manifests/v1', 400],
  ['/v2/Docker-Local/closed/manifests/v1', 400],
  ['/v2/docker-local/closed%00/manifests/v1', 400],
  ['/v2/docker-local/closed%5c..%5cx/manifests/v1', 400],
  ['/v2/docker-local/clos%C3%A9d/manifests/v1', 400],
  ['/v2/docker-local/closed%20/manifests/v1', 400],
  ['/v2/docker-local/closed/manifests/v1%0a', 400],
  ['/v2/docker-local/closed/manifests/v1/', 404],
  ['/v2/docker-local/closed/manifests/', 400],
  ['/v2/docker-local/closed/manifests', 404],
  ['/V2/docker-local/closed/manifests/v1', 404],
  ['/ARTIFACTORY/api/docker/docker-local/v2/closed/manifests/v1', 404],
  ['/artifactory/api/docker/DOCKER-LOCAL/v2/closed/manifests/v1', 404],
  ['/artifactory/api/docker/docker-local/v2/public/../closed/manifests/v1', 400],
  // Another spelling of the same path is the same question.
  ['/v2/docker-local/%63losed/manifests/v1', 403],
  ['/v2/docker%2Dlocal/closed/manifests/%76%31', 403],
  ['/v2/docker-local/closed/manifests/V1', 403],
  ['/v2/docker-local/closed/manifests/v1?/../public', 403],
  ['/artifactory/api/docker/docker-local/v2/closed/manifests/v1', 403],
] as const)
  test(`GET ${path} opens nothing: ${status}`, async () => {
    for (const method of ['GET', 'HEAD']) assert.equal(await statusOf(mallory, method, path), status)
  })

for (const [path, status] of [
  ['docker-local/public/%2e%2e/closed', 400],
  ['docker-local/team/../closed/v1', 400],
  ['docker-local//closed/v1', 400],
  ['docker-local/closed/', 400],
  ['docker-local/', 400],
  ['docker-local/team%2f..%2fclosed/v1', 400],
  ['docker-local/team/..;/closed/v1', 404],
  ['docker-local/CLOSED', 404],
  ['Docker-local/closed', 404],
  ['docker-local/%63losed/v1', 403],
  ['docker-local/closed', 403],
  ['docker-local', 403],
  ['docker-none', 403],
] as const)
  test(`DELETE ${path} of the REST API takes nothing: ${status}`, async () => {
    assert.equal(await statusOf(dev.at('/artifactory'), 'DELETE', path), status)
    assert.equal(await statusOf(admin, 'GET', 'closed/manifests/v1'), 200)
  })

// What one may not know is answered as what is not there.

const [absent, hiddenDigest] = [digestOfBytes('absent'), hidden.digest]
const upload = '6f1c1d7e-4f0e-4bb5-9d9c-0b8b0f1f0a11'
const virtually = (client: RegistryClient) => client.at('/artifactory/api/docker/all/v2')
for (const [who, client, pairs] of [
  ['anonymous', anonymous, ofNobody()],
  ['a user without rights', mallory, ofNobody()],
  ['a user with rights to a part', dev, [...ofNobody(), ...ofPart()]],
  ['a user without rights, through a virtual repository,', virtually(mallory), throughAll(ofNobody())],
  ['a user with rights to a part, through a virtual repository,', virtually(dev), throughAll(ofPart())],
] as const)
  test(`to ${who} what may not be known and what is not there are one answer to the byte, apart from the names asked for`, async () => {
    for (const [method, there, notThere] of pairs) {
      const [one, other] = [await ask(client, method, there), await ask(client, method, notThere)]
      const [names, others] = [there, notThere].map((path) => [...path.split(/[/?=&]/), hiddenDigest, hiddenLayer])
      assert.ok(names && others)
      assert.equal(withoutNames(one, names), withoutNames(other, others), `${method} ${there}`)
    }
  })

type Pair = readonly [method: string, there: string, notThere: string]

function throughAll(pairs: Iterable<Pair>): readonly Pair[] {
  const virtual = (path: string) => path.replace('/docker-local/', '/all/')
  return [...pairs].map(([method, there, notThere]) => [method, virtual(there), virtual(notThere)])
}

/** Of an image, or repository, that nothing is known of. */
function* ofNobody(): Generator<Pair> {
  for (const [there, notThere] of [
    ['closed', 'absent'],
    ['/artifactory/api/docker/docker-prod/v2/closed', '/artifactory/api/docker/docker-none/v2/closed'],
    ['/v2/docker-prod/closed', '/v2/docker-none/closed'],
  ] as const) {
    const both = (rest: string): [string, string] => [`${there}/${rest}`, `${notThere}/${rest}`]
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) {
      yield [method, ...both('manifests/v1')]
      yield [method, ...both(`manifests/${hiddenDigest}`)]
    }
    for (const method of ['GET', 'HEAD', 'DELETE']) yield [method, ...both(`blobs/${hiddenLayer}`)]
    for (const rest of ['tags/list', 'tags/list?n=1', 'tags/list?last=a', `referrers/${hiddenDigest}`])
      for (const method of ['GET', 'HEAD']) yield [method, ...both(rest)]
    yield ['POST', ...both('blobs/uploads/')]
    for (const method of ['GET', 'PATCH', 'DELETE']) yield [method, ...both(`blobs/uploads/${upload}`)]
    yield ['PUT', ...both(`blobs/uploads/${upload}?digest=${hiddenLayer}`)]
  }
  yield ['DELETE', '/artifactory/docker-local/closed', '/artifactory/docker-local/absent']
  yield ['DELETE', '/artifactory/docker-local/closed/v1', '/artifactory/docker-local/absent/v1']
  yield ['DELETE', `/artifactory/docker-local/closed/${hiddenDigest}`, `/artifactory/docker-local/closed/${absent}`]
  yield ['DELETE', '/artifactory/docker-prod', '/artifactory/docker-none']
}

/** Of an image that some tags are known of. */
function* ofPart(): Generator<Pair> {
  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) yield [method, 'app/manifests/v1', 'app/manifests/v7']
  for (const method of ['GET', 'HEAD', 'DELETE']) {
    yield [method, `app/manifests/${hiddenDigest}`, `app/manifests/${absent}`]
    yield [method, `app/manifests/${signature.digest}`, `app/manifests/${absent}`]
    yield [method, `app/blobs/${hiddenLayer}`, `app/blobs/${absent}`]
    yield [method, `vault/blobs/${hiddenLayer}`, `absent/blobs/${absent}`]
  }
  yield ['GET', `app/referrers/${hiddenDigest}`, `app/referrers/${absent}`]
  // An image all of whose tags are hidden.
  for (const query of ['', '?n=0', '?n=1', '?last=a', '?n=1&last=a', '?last=zzz'])
    yield ['GET', `vault/tags/list${query}`, `absent/tags/list${query}`]
  yield ['DELETE', '/artifactory/docker-local/vault', '/artifactory/docker-local/absent']
  yield ['DELETE', '/artifactory/docker-local/vault/dev-1', '/artifactory/docker-local/absent/dev-1']
  yield ['DELETE', '/artifactory/docker-local/app/v1', '/artifactory/docker-local/app/v7']
  yield ['DELETE', `/artifactory/docker-local/app/${hiddenDigest}`, `/artifactory/docker-local/app/${absent}`]
}

async function ask(client: RegistryClient, method: string, path: string): Promise<Answer> {
  const body = method === 'PUT' && path.includes('/manifests/') ? hidden.manifest : undefined
  return client.ask(method, path, body && { body, headers: { 'content-type': ociManifest } })
}

function withoutNames(answer: Answer, names: readonly string[]): string {
  const text = names
    .filter((name) => name.length > 1)
    .toSorted((one, other) => other.length - one.length)
    .reduce((text, name) => text.replaceAll(name, '*'), asText(answer))
  return text
    .replaceAll(/"content-length":"\d+"/g, '')
    .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<id>')
}

test('a manifest that names what is hidden is refused as one that names what is not there', async () => {
  const naming = (...layers: readonly string[]): TinyImage => {
    const described = layers.map((digest) => ({ mediaType: 'application/x.layer', digest, size: 15 }))
    return tinyImage('shown', { layers: described })
  }
  const [one, other] = await Promise.all(
    [hiddenLayer, nobodyHas].map(async (layer) => {
      const refused = await dev.putManifest('app', 'dev-2', naming(layer, absent))
      assert.equal(refused.status, 404)
      assert.equal(refused.error(), 'MANIFEST_BLOB_UNKNOWN')
      return withoutNames(refused, [layer, absent])
    }),
  )
  assert.equal(one, other)
})

// What is hidden in an image that one may push to a part of.

function indexOf(...digests: readonly string[]): TinyImage {
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const manifests = digests.map((digest) => ({ mediaType: ociManifest, digest, size: 10 }))
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }))
  return { mediaType, manifest, digest: digestOfBytes(manifest), blobs: [] }
}

for (const [who, client] of [
  ['who may read and push to a part', dev],
  ['who may push to all of it and read a part', mixed],
  ['who may read and push to a part, by a virtual repository,', virtually(dev)],
  ['who may push to all of it and read a part, by a virtual repository,', virtually(mixed)],
] as const)
  test(`one ${who} does not come to the rest by a manifest of their own`, async () => {
    const own = indexOf(hiddenDigest)
    for (const reference of ['dev-9', own.digest, `${own.digest}?tag=dev-9`])
      assert.equal((await client.putManifest('app', reference, own)).error(), 'MANIFEST_BLOB_UNKNOWN')
    const layers = [{ mediaType: 'application/x.layer', digest: hiddenLayer, size: 15 }]
    const child = tinyImage('shown', { layers })
    for (const reference of ['dev-9', child.digest])
      assert.equal((await client.putManifest('app', reference, child)).error(), 'MANIFEST_BLOB_UNKNOWN')
    for (const path of [`manifests/${hiddenDigest}`, `blobs/${hiddenLayer}`, `blobs/${hiddenConfig}`])
      assert.equal(await statusOf(client, 'GET', `app/${path}`), 404, path)
  })

test('what somebody else has pushed by its digest is hidden too', async () => {
  const untagged = tinyImage('untagged')
  await admin.push('app', untagged.digest, untagged)
  for (const client of [dev, mixed]) {
    assert.equal((await client.putManifest('app', 'dev-9', indexOf(untagged.digest))).status, 404)
    assert.equal(await statusOf(client, 'GET', `app/manifests/${untagged.digest}`), 404)
  }
})

test('one who may push to a part pushes all that they have themselves, also what is in the rest', async () => {
  const base = Buffer.from('layer of hidden')
  const layers = [descriptor('application/vnd.oci.image.layer.v1.tar', base)]
  const child = tinyImage('on the same base', { layers })
  for (const [client, tag] of [
    [dev, 'dev-20'],
    [mixed, 'dev-21'],
  ] as const) {
    assert.equal(await statusOf(client, 'HEAD', `app/blobs/${hiddenLayer}`), 404)
    for (const blob of [...child.blobs, base]) await client.pushBlob('app', blob)
    assert.equal((await client.putManifest('app', child.digest, child)).status, 201)
    assert.equal((await client.putManifest('app', tag, indexOf(child.digest))).status, 201)
    assert.equal(await statusOf(client, 'GET', `app/blobs/${hiddenLayer}`), 200)
    assert.equal(await statusOf(client, 'GET', `app/manifests/${hiddenDigest}`), 404)
    assert.equal(await statusOf(client, 'GET', `app/blobs/${hiddenConfig}`), 404)
    assert.equal(await statusOf(admin, 'DELETE', `app/manifests/${tag}`), 202)
    assert.equal(await statusOf(client, 'GET', `app/blobs/${hiddenLayer}`), 404)
  }
})

test('one who may push and not read is told what there is, and sends the rest', async () => {
  assert.equal(await statusOf(pusher, 'HEAD', `app/blobs/${hiddenLayer}`), 200)
  assert.equal(await statusOf(pusher, 'HEAD', `app/manifests/v1`), 200)
  for (const path of ['manifests/v1', `manifests/${hiddenDigest}`, `blobs/${hiddenLayer}`])
    assert.equal(await statusOf(pusher, 'GET', `app/${path}`), 403, path)
  assert.equal((await pusher.putManifest('app', 'pushed', hidden)).status, 201)
  assert.equal(await statusOf(pusher, 'GET', 'app/manifests/pushed'), 403)
  assert.equal(await statusOf(admin, 'DELETE', 'app/manifests/pushed'), 202)
})

test('the head of a list tells no more than the list', async () => {
  for (const path of ['app/tags/list', 'app/tags/list?n=1', `app/referrers/${hiddenDigest}`]) {
    const refused = await pusher.ask('HEAD', path)
    assert.equal(refused.status, 403, path)
    assert.equal(refused.headers.link, undefined)
  }
  const partial = await mixed.ask('HEAD', 'app/tags/list?n=1')
  assert.equal(partial.status, 200)
  assert.equal(partial.headers.link, undefined)
})

test('the manifest that a hidden tag is on does not become another thing by another media type', async () => {
  const docker = 'application/vnd.docker.distribution.manifest.v2+json'
  const plain = tinyImage('of two types', { mediaType: undefined })
  await admin.push('app', 'v3', plain)
  await admin.push('app', 'dev-3', plain)
  const refused = await dev.putManifest('app', 'dev-3', { ...plain, mediaType: docker })
  assert.equal(refused.status, 403)
  assert.equal((await admin.ask('GET', 'app/manifests/v3')).headers['content-type'], ociManifest)
  assert.equal((await admin.putManifest('app', 'v3', { ...plain, mediaType: docker })).status, 201)
  for (const tag of ['v3', 'dev-3']) assert.equal(await statusOf(admin, 'DELETE', `app/manifests/${tag}`), 202)
})

test('tags, images and referrers that one may not read are in no list', async () => {
  const of = async (client: RegistryClient, path: string) => (await client.ask('GET', path)).json()
  assert.deepEqual(await of(dev, 'app/tags/list'), { name: 'app', tags: ['dev-1'] })
  assert.deepEqual(await of(dev, '_catalog'), { repositories: ['app', 'public/hello'] })
  assert.deepEqual(await of(dev.at('/v2'), '_catalog'), {
    repositories: ['docker-local/app', 'docker-local/public/hello'],
  })
  assert.deepEqual(await of(mallory, '_catalog'), { repositories: ['public/hello'] })
  assert.deepEqual(await of(anonymous, '_catalog'), { repositories: ['public/hello'] })
  const { manifests } = (await of(dev, `app/referrers/${hiddenDigest}`)) as { readonly manifests: unknown }
  assert.deepEqual(manifests, [])
  // Nor is it said that there is more.
  for (const path of ['_catalog?n=1', 'app/tags/list?n=1']) {
    const page = await dev.ask('GET', path)
    assert.equal(page.headers.link !== undefined, path.startsWith('_catalog'), path)
  }
})

// Mounts and uploads.

for (const [what, query] of [
  ['from an image that it may not read', `mount=${hiddenLayer}&from=closed`],
  ['from one of another repository', `mount=${hiddenLayer}&from=docker-prod/closed`],
  ['from the hidden part of an image', `mount=${hiddenLayer}&from=app`],
  ['from the hidden part of an image, a manifest', `mount=${hiddenDigest}&from=app`],
  ['by its digest alone', `mount=${hiddenLayer}`],
  ['by a path', `mount=${hiddenLayer}&from=public/../closed`],
  ['from an image in upper case', `mount=${hiddenLayer}&from=CLOSED`],
  ['from an encoded name', `mount=${hiddenLayer}&from=%2563losed`],
  ['from two images', `mount=${hiddenLayer}&from=public/hello&from=closed`],
] as const)
  test(`a mount ${what} is an upload, as if nobody had the blob`, async () => {
    for (const client of [
      dev,
      anonymous.withToken(await dev.token('repository:team/x:pull,push', 'repository:closed:*')),
    ]) {
      const answer = await client.ask('POST', `team/x/blobs/uploads/?${query}`)
      assert.equal(answer.status, 202)
      assert.equal(await statusOf(dev, 'DELETE', locationOf(answer)), 204)
      assert.equal(await statusOf(dev, 'HEAD', `team/x/blobs/${hiddenLayer}`), 404)
    }
  })

test('an upload is known under its own image alone', async () => {
  const begun = await dev.beginUpload('team/one')
  const id = begun.slice(begun.lastIndexOf('/') + 1)
  for (const image of ['team/two', 'app'])
    for (const [method, query] of [
      ['GET', ''],
      ['PATCH', ''],
      ['PUT', `?digest=${digestOfBytes('')}`],
      ['DELETE', ''],
    ] as const) {
      const refused = await dev.ask(method, `${image}/blobs/uploads/${id}${query}`)
      assert.equal(refused.error(), 'BLOB_UPLOAD_UNKNOWN', `${method} ${image}`)
    }
  assert.equal(await statusOf(mallory, 'GET', `team/one/blobs/uploads/${id}`), 403)
  assert.equal(await statusOf(dev, 'DELETE', `team/one/blobs/uploads/${id}`), 204)
})

// Tokens in the wrong place, and what becomes of them.

async function refreshTokenOf(client: RegistryClient): Promise<string> {
  const answer = await client.ask('GET', 'token?service=registry.test&offline_token=true')
  return z.object({ refresh_token: z.string() }).parse(answer.json()).refresh_token
}

async function post(fields: Readonly<Record<string, string>>): Promise<Answer> {
  return anonymous.ask('POST', 'token', {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields).toString(),
  })
}

test('a refresh token is good at the token endpoint alone, and does not renew itself', async () => {
  const token = await refreshTokenOf(dev)
  for (const client of [
    anonymous.as({ name: 'dev', password: token }),
    anonymous.withToken(token),
    anonymous.with({ 'x-jfrog-art-api': token }),
  ]) {
    assert.equal(await statusOf(client, 'GET', 'team/x/tags/list'), 401)
    assert.equal(await statusOf(client, 'GET', 'token?scope=repository:team/x:pull'), 401)
    assert.equal(await statusOf(client.at('/artifactory'), 'GET', 'api/repositories'), 401)
  }
  assert.equal((await post({ grant_type: 'password', username: 'dev', password: token })).status, 401)
  const renewed = await post({ grant_type: 'refresh_token', refresh_token: token, access_type: 'offline' })
  assert.equal(renewed.status, 200)
  assert.ok(!('refresh_token' in (renewed.json() as object)))
})

test('what is given for an access token does not outlive it: no refresh token', async () => {
  const { token } = await accessToken(registry, 'dev')
  const client = anonymous.as({ name: 'dev', password: token })
  const byGet = await client.ask('GET', 'token?offline_token=true')
  const byPost = await post({ grant_type: 'password', username: 'dev', password: token, access_type: 'offline' })
  for (const answer of [byGet, byPost]) {
    assert.equal(answer.status, 200)
    assert.ok(!('refresh_token' in (answer.json() as object)))
  }
})

test("somebody else's access token is nothing under my name, nor mine under another's", async () => {
  const { token } = await accessToken(registry, 'admin')
  for (const name of ['mallory', 'Admin', 'admin ', 'admin\0', '']) {
    assert.equal(await statusOf(anonymous.as({ name, password: token }), 'GET', 'closed/manifests/v1'), 401, name)
    assert.equal((await post({ grant_type: 'password', username: name, password: token })).status, 401, name)
  }
  assert.equal(await statusOf(anonymous.as({ name: 'admin', password: token }), 'GET', 'closed/manifests/v1'), 200)
})

for (const [what, change] of [
  ['whose secret was changed', (token: string) => `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`],
  ['with another id', (token: string) => token.replace(/^csn_./, (start) => (start.endsWith('a') ? 'csn_b' : 'csn_a'))],
  ['with something behind it', (token: string) => `${token}x`],
  ['in upper case', (token: string) => token.toUpperCase()],
  ['without its secret', (token: string) => token.slice(0, token.lastIndexOf('_') + 1)],
] as const)
  test(`an access token ${what} is none`, async () => {
    const { token } = await accessToken(registry, 'admin')
    const changed = change(token)
    for (const client of [
      anonymous.as({ name: 'admin', password: changed }).with({ 'x-forwarded-for': '192.0.2.77' }),
      anonymous.withToken(changed),
      anonymous.with({ 'x-jfrog-art-api': changed }),
    ])
      assert.equal(await statusOf(client, 'GET', 'closed/manifests/v1'), 401)
  })

const adminPaths = [
  ['GET', 'api/security/audit'],
  ['GET', 'api/v1/metrics'],
  ['POST', 'api/system/storage/gc'],
  ['DELETE', 'docker-local'],
] as const

test("a limited token of an admin's is none at what is for admins, and takes only what it names", async () => {
  const { token } = await accessToken(registry, 'admin', 'artifact:docker-local/public/**:r,w')
  for (const client of [anonymous.as({ name: 'admin', password: token }), anonymous.withToken(token)]) {
    for (const [method, path] of adminPaths)
      assert.equal(await statusOf(client.at('/artifactory'), method, path), 403, path)
    const listed = await client.at('/artifactory').ask('GET', 'api/repositories')
    assert.deepEqual(
      (listed.json() as readonly { readonly key: string }[]).map(({ key }) => key),
      ['docker-local', 'all'],
    )
    assert.equal(await statusOf(client, 'GET', 'public/hello/manifests/1'), 200)
    assert.equal(await statusOf(client, 'GET', 'closed/manifests/v1'), 403)
    assert.equal(await statusOf(client, 'DELETE', 'public/hello/manifests/1'), 403)
    assert.deepEqual((await client.ask('GET', '_catalog')).json(), { repositories: ['public/hello'] })
    const derived = anonymous.withToken(
      await anonymous.as({ name: 'admin', password: token }).token('repository:closed:*'),
    )
    assert.equal(await statusOf(derived, 'GET', 'closed/manifests/v1'), 403)
  }
})

test("a docker token of an admin's is none at what is for admins, and shows the repositories that it names", async () => {
  const client = rest.withToken(await admin.token('repository:public/hello:*', 'registry:catalog:*'))
  for (const [method, path] of adminPaths) assert.equal(await statusOf(client, method, path), 401, path)
  const listed = (await client.ask('GET', 'api/repositories')).json() as readonly { readonly key: string }[]
  assert.deepEqual(
    listed.map(({ key }) => key),
    ['docker-local'],
  )
})

test('a token for groups has what these may, and nothing that its user was given by name', async () => {
  const { token } = await accessToken(registry, 'pusher', 'applied-permissions/groups:devs')
  const client = anonymous.as({ name: 'pusher', password: token })
  assert.equal(await statusOf(client, 'GET', 'app/manifests/dev-1'), 200)
  assert.equal((await client.putManifest('app', 'v1', hidden)).status, 403)
  assert.equal((await pusher.putManifest('app', 'v1', hidden)).status, 201)
})

test('a revoked token is worth nothing at the next request, and so is all that was got with it', async () => {
  const { token, record } = await accessToken(registry, 'dev')
  const login = anonymous.as({ name: 'dev', password: token })
  const clients = [
    login,
    anonymous.withToken(token),
    anonymous.with({ 'x-jfrog-art-api': token }),
    anonymous.withToken(await login.token('repository:app:pull,push')),
  ]
  for (const client of clients) assert.equal(await statusOf(client, 'GET', 'app/manifests/dev-1'), 200)
  await onAccess(registry, (access) => access.removeToken(record.id))
  for (const client of clients) assert.equal(await statusOf(client, 'GET', 'app/manifests/dev-1'), 401)
})

test('an access token that has ended takes what was got with it along', async () => {
  const { token } = await accessToken(registry, 'dev', undefined, { lifeSeconds: 1 })
  const docker = anonymous.withToken(await anonymous.as({ name: 'dev', password: token }).token('repository:app:pull'))
  assert.equal(await statusOf(docker, 'GET', 'app/manifests/dev-1'), 200)
  while ((await statusOf(docker, 'GET', 'app/manifests/dev-1')) === 200) continue
  assert.equal(await statusOf(docker, 'GET', 'app/manifests/dev-1'), 401)
  assert.equal(await statusOf(anonymous.withToken(token), 'GET', 'app/manifests/dev-1'), 401)
})

/** A user of the developers, and all that one can have of them. */
async function holdings(name: string) {
  const login = await addUser(registry, name, ['devs'])
  const client = anonymous.as(login)
  const refresh = await refreshTokenOf(client)
  const renewed = await post({
    grant_type: 'refresh_token',
    refresh_token: refresh,
    scope: 'repository:app:pull',
    service: 'registry.test',
  })
  const { access_token: byRefresh } = z.object({ access_token: z.string() }).parse(renewed.json())
  return {
    password: client,
    docker: anonymous.withToken(await client.token('repository:app:pull')),
    byRefresh: anonymous.withToken(byRefresh),
    access: anonymous.withToken((await accessToken(registry, name)).token),
    refresh,
  }
}

async function refreshes(refreshToken: string): Promise<number> {
  return (await post({ grant_type: 'refresh_token', refresh_token: refreshToken })).status
}

async function eachGets(clients: readonly RegistryClient[], status: number): Promise<void> {
  for (const client of clients) assert.equal(await statusOf(client, 'GET', 'app/manifests/dev-1'), status)
}

test('what a removed user had is worth nothing at the next request, nor to whoever gets the name', async () => {
  const { refresh, ...clients } = await holdings('leaver')
  await eachGets(Object.values(clients), 200)
  await onAccess(registry, (access) => access.removeUser('leaver'))
  await eachGets(Object.values(clients), 401)
  assert.equal(await refreshes(refresh), 401)
  const { password, ...tokens } = clients
  await addUser(registry, 'leaver')
  await eachGets(Object.values(tokens), 401)
  await eachGets([password], 403)
  assert.equal(await refreshes(refresh), 401)
})

test('a changed password ends what was got with the one before at the next request, and no access token', async () => {
  const { refresh, access, ...others } = await holdings('changer')
  await eachGets([access, ...Object.values(others)], 200)
  const passwordHash = await hashPassword('second password')
  await onAccess(registry, (store) => store.changeUser('changer', { passwordHash }))
  await eachGets(Object.values(others), 401)
  assert.equal(await refreshes(refresh), 401)
  await eachGets([access], 200)
})

test('a left group counts at the next request, whatever is shown', async () => {
  const { refresh, ...clients } = await holdings('mover')
  await eachGets(Object.values(clients), 200)
  await onAccess(registry, (access) => access.setGroupsOf('mover', []))
  await eachGets(Object.values(clients), 403)
  assert.equal(await refreshes(refresh), 200)
  await onAccess(registry, (access) => access.setGroupsOf('mover', ['devs']))
  await eachGets(Object.values(clients), 200)
})

test('an admin who is one no more has no token that still is', async () => {
  const client = anonymous.as(await addUser(registry, 'boss'))
  await onAccess(registry, (access) => access.changeUser('boss', { admin: true }))
  const clients = [
    client,
    anonymous.withToken(await client.token('repository:app:*')),
    anonymous.withToken((await accessToken(registry, 'boss')).token),
  ]
  await eachGets(clients, 200)
  await onAccess(registry, (access) => access.changeUser('boss', { admin: false }))
  await eachGets(clients, 403)
})

test('no password opens a robot, whatever is kept for it', async () => {
  const passwordHash = await hashPassword('password of robot')
  await onAccess(registry, (access) => access.addUser(userNamed('robot', { kind: 'robot', passwordHash }), ['devs']))
  assert.equal(await statusOf(anonymous.as({ name: 'robot', password: 'password of robot' }), 'GET', ''), 401)
  const { token } = await accessToken(registry, 'robot')
  await eachGets([anonymous.as({ name: 'robot', password: token })], 200)
})

// Headers.

test('X-JFrog-Art-Api is credentials like others: good, bad, or beside an Authorization that counts', async () => {
  const { token } = await accessToken(registry, 'dev')
  const key = { 'x-jfrog-art-api': token }
  await eachGets([anonymous.with(key)], 200)
  await eachGets([anonymous.with({ 'x-jfrog-art-api': '' }), anonymous.with({ 'x-jfrog-art-api': 'x' })], 401)
  await eachGets([anonymous.with(key).withToken('x'), anonymous.with({ ...key, authorization: 'Nonsense' })], 401)
  await eachGets([mallory.with(key)], 403)
  assert.equal(await statusOf(rest.with({ 'x-jfrog-art-api': 'x' }), 'GET', 'api/repositories'), 401)
})

test('credentials that are not understood are refused, never anonymous', async () => {
  for (const authorization of [
    '',
    'Basic',
    'Basic ',
    'Bearer',
    'Bearer ',
    'Basic !',
    'Basic YQ==',
    'Digest a="b"',
    'Negotiate x',
    'x',
  ])
    assert.equal(
      await statusOf(anonymous.with({ authorization }), 'GET', 'public/hello/manifests/1'),
      401,
      authorization,
    )
})

test('of two Authorization headers the first one counts, whichever it is', async () => {
  const { name, password } = adminLogin
  const good = `Authorization: Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`
  const bad = 'Authorization: Bearer nonsense'
  for (const [first, second, status] of [
    [good, bad, 200],
    [bad, good, 401],
  ] as const) {
    await using connection = await RawConnection.open(registry.port, 'plain')
    connection.send(`GET ${localV2}/closed/manifests/v1 HTTP/1.1\r\nHost: a\r\n${first}\r\n${second}\r\n\r\n`)
    assert.equal((await connection.answer()).status, status)
  }
})

test('very long credentials are wrong credentials', async () => {
  const name = 'n'.repeat(40_000)
  for (const client of [
    anonymous.as({ name, password: 'x' }),
    anonymous.as({ name: 'nobody', password: name }),
    anonymous.withToken(name),
    anonymous.with({ 'x-jfrog-art-api': name }),
  ])
    assert.equal(await statusOf(client, 'GET', ''), 401)
})

test('a name with a NUL, in Unicode or in another spelling is nobody', async () => {
  for (const name of [
    'admin\0',
    '\0',
    'admin\0x',
    'аdmin',
    'ＡDMIN',
    'ad\u200bmin',
    'ADMIN',
    'admin\n',
    '💥',
    '__proto__',
    'anonymous',
    "' or 1=1 --",
  ])
    assert.equal(await statusOf(anonymous.as({ ...adminLogin, name }), 'GET', 'public/hello/manifests/1'), 401, name)
})

test('how to log in is told by trusted peers alone', async () => {
  await using distrustful = await startTestRegistry({ trustedProxies: ['192.0.2.0/24'] })
  const stranger = distrustful.anonymous.over({ host: '127.0.0.1', port: distrustful.port })
  const wanted = { 'x-caisson-challenge': 'basic' }
  for (const [client, challenge] of [
    [stranger.with(wanted), /^Bearer /],
    [distrustful.anonymous.with(wanted), /^Basic /],
    [distrustful.anonymous.with({ 'x-caisson-challenge': 'none' }), /^Bearer /],
  ] as const) {
    const refused = await client.ask('POST', 'hello/blobs/uploads/')
    assert.equal(refused.status, challenge.source.includes('Basic') ? 403 : 401)
    if (refused.status === 401) assert.match(String(refused.headers['www-authenticate']), challenge)
  }
})
