import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startTestRegistry } from '../../helpers/registry.ts'
import { tinyImage } from '../../helpers/tiny-image.ts'
import { addUser, onAccess, target } from '../../helpers/users.ts'
import type { Answer } from '../../helpers/registry-client.ts'

const registry = await startTestRegistry({
  repositories: { 'docker-local': { type: 'local', immutableTags: ['**/v*'] } },
})
after(() => registry[Symbol.asyncDispose]())
const { admin } = registry
const [one, two] = [tinyImage('one'), tinyImage('two')]
await admin.push('app', 'v1', one)
await admin.push('app', 'latest', one)
await admin.push('free', 'latest', one)
for (const blob of two.blobs) await admin.pushBlob('app', blob)

function refusalOf(answer: Answer): string {
  assert.equal(answer.status, 403, answer.body.toString())
  assert.equal(answer.error(), 'DENIED')
  return (answer.json() as { readonly errors: readonly [{ readonly message: string }] }).errors[0].message
}

const immutable = 'the tag v1 is immutable: docker-local has it in its immutableTags'

for (const [what, method, path] of [
  ['by its name', 'DELETE', 'app/manifests/v1'],
  ['with its manifest', 'DELETE', `app/manifests/${one.digest}`],
  ['by its path', 'DELETE', '/artifactory/docker-local/app/v1'],
  ['with its image', 'DELETE', '/artifactory/docker-local/app'],
  ['with its repository', 'DELETE', '/artifactory/docker-local'],
] as const)
  test(`an immutable tag is not deleted ${what}, not even by an admin`, async () => {
    assert.equal(refusalOf(await admin.ask(method, path)), immutable)
    assert.equal((await admin.ask('GET', 'app/manifests/v1')).headers['docker-content-digest'], one.digest)
    assert.equal((await admin.ask('GET', 'free/manifests/latest')).status, 200)
  })

test('an immutable tag is pushed once, and again with the same manifest, and never moved', async () => {
  assert.equal(refusalOf(await admin.putManifest('app', 'v1', two)), immutable)
  assert.equal((await admin.putManifest('app', 'v1', one)).status, 201)
  assert.equal((await admin.putManifest('app', 'v2', two)).status, 201)
  const { manifest, mediaType, digest } = two
  const byDigest = await admin.ask('PUT', `app/manifests/${digest}?tag=v1&tag=other`, {
    headers: { 'content-type': mediaType },
    body: manifest,
  })
  assert.equal(refusalOf(byDigest), immutable)
  assert.equal((await admin.ask('GET', 'app/manifests/other')).status, 404)
})

test('other tags are moved and deleted as ever, and other images too', async () => {
  assert.equal((await admin.putManifest('app', 'latest', two)).status, 201)
  assert.equal((await admin.ask('DELETE', 'app/manifests/latest')).status, 202)
  assert.equal((await admin.ask('DELETE', '/artifactory/docker-local/free')).status, 204)
})

test('who may not move tags at all is told that, of an immutable one too', async () => {
  await onAccess(registry, (access) => access.putTarget(target('Anything', { groups: { users: ['read', 'deploy'] } })))
  const dev = registry.anonymous.as(await addUser(registry, 'dev'))
  assert.match(refusalOf(await dev.putManifest('app', 'v1', two)), /^the tag v1 is there already: .* right to delete$/)
})
