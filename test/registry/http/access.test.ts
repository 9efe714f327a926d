import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { addUser, onAccess, target } from '../../helpers/users.ts'
import { hashPassword } from '../../../registry/identity/passwords.ts'
import { startTestRegistry } from '../../helpers/registry.ts'
import { tinyImage } from '../../helpers/tiny-image.ts'
import type { Answer } from '../../helpers/registry-client.ts'

const registry = await startTestRegistry({
  repositories: { 'docker-local': { type: 'local' }, secret: { type: 'local' } },
  forceAuthentication: ['secret'],
})
after(() => registry[Symbol.asyncDispose]())
await onAccess(registry, (access) =>
  access.putTarget(target('Anything', { users: { anonymous: ['read'] }, groups: { users: ['read', 'deploy'] } })),
)
const { admin, anonymous } = registry
const dev = anonymous.as(await addUser(registry, 'dev'))
const inSecret = '/artifactory/api/docker/secret/v2'
const image = tinyImage('a')
await admin.push('hello', '1', image)
await admin.at(inSecret).push('hello', '1', image)

function challengeOf({ headers }: Answer): string {
  return String(headers['www-authenticate'])
}

test('anonymous pulls, and is asked for a login where it may not', async () => {
  assert.equal((await anonymous.ask('GET', 'hello/manifests/1')).status, 200)
  const refused = await anonymous.at(inSecret).ask('GET', 'hello/manifests/1')
  assert.equal(refused.status, 401)
  assert.equal(refused.error(), 'UNAUTHORIZED')
  assert.match(challengeOf(refused), /^Bearer realm="[^"]+",service="registry.test",scope="repository:hello:pull"$/)
})

for (const [method, path, words] of [
  ['POST', 'hello/blobs/uploads/', 'pull,push'],
  ['PUT', 'hello/manifests/2', 'pull,push'],
  ['PATCH', 'hello/blobs/uploads/6f1c1d7e-4f0e-4bb5-9d9c-0b8b0f1f0a11', 'pull,push'],
  ['DELETE', 'hello/manifests/1', 'delete'],
  ['DELETE', `hello/blobs/sha256:${'0'.repeat(64)}`, 'delete'],
] as const)
  test(`anonymous is asked for a login at ${method} ${path}, with the scope to ask for`, async () => {
    const refused = await anonymous.ask(method, path)
    assert.equal(refused.status, 401)
    assert.match(challengeOf(refused), new RegExp(`,scope="repository:hello:${words}"$`))
  })

test('in path mode the scope has the name with its key', async () => {
  const refused = await anonymous.at('/v2').ask('POST', 'docker-local/hello/blobs/uploads/')
  assert.match(
    challengeOf(refused),
    /realm="http:\/\/registry.test\/v2\/token",.*,scope="repository:docker-local\/hello:pull,push"$/,
  )
})

test('a wrong password on a push is challenged with the scope too', async () => {
  const refused = await anonymous.as({ name: 'admin', password: 'wrong' }).ask('POST', 'hello/blobs/uploads/')
  assert.equal(refused.status, 401)
  assert.match(challengeOf(refused), /scope="repository:hello:pull,push"$/)
})

test('a user reads and deploys where a group of it may, and deletes nothing: 403, for a login would not help', async () => {
  await dev.push('hello', 'by-dev', image)
  assert.equal((await dev.at(inSecret).ask('GET', 'hello/manifests/1')).status, 200)
  const refused = await dev.ask('DELETE', 'hello/manifests/by-dev')
  assert.equal(refused.status, 403)
  assert.equal(refused.error(), 'DENIED')
  assert.equal(refused.headers['www-authenticate'], undefined)
})

test('a token that lacks the scope is told which to ask for; 403 when its user could never get it', async () => {
  const reader = anonymous.withToken(await dev.token('repository:hello:pull'))
  const push = await reader.ask('POST', 'hello/blobs/uploads/')
  assert.equal(push.status, 401)
  assert.match(challengeOf(push), /scope="repository:hello:pull,push",error="insufficient_scope"$/)

  const remove = await reader.ask('DELETE', 'hello/manifests/1')
  assert.equal(remove.status, 403)
  assert.equal(remove.error(), 'DENIED')
})

test('a token of anonymous pulls what anonymous may, and is asked for a login elsewhere', async () => {
  const scopes = ['repository:hello:pull,push']
  const puller = anonymous.withToken(await anonymous.token(...scopes))
  assert.equal((await puller.ask('GET', 'hello/manifests/1')).status, 200)
  assert.equal((await puller.ask('POST', 'hello/blobs/uploads/')).status, 401)

  const secret = await anonymous.at(inSecret).ask('GET', 'token?scope=repository:hello:pull')
  assert.equal(secret.status, 401)
  assert.match(challengeOf(secret), /^Basic realm="[^"]+"$/)
})

test('a token for one image, or one repository, is worth nothing on another', async () => {
  const token = await admin.token('repository:hello:pull,push')
  assert.equal((await anonymous.withToken(token).ask('GET', 'hello/manifests/1')).status, 200)
  for (const path of ['other/manifests/1', `${inSecret}/hello/manifests/1`, '/v2/secret/hello/manifests/1'])
    assert.equal((await anonymous.withToken(token).ask('GET', path)).status, 401, path)
})

test('a repository that does not exist is 404 for who could read it, and a challenge for who could not', async () => {
  await using closed = await startTestRegistry({ anonymousAccess: false })
  const unknown = '/v2/nowhere/hello/manifests/1'
  assert.equal((await closed.anonymous.ask('GET', unknown)).status, 401)
  assert.equal((await closed.admin.ask('GET', unknown)).error(), 'NAME_UNKNOWN')
})

test('without anonymous access everything asks for a login', async () => {
  await using closed = await startTestRegistry({ anonymousAccess: false })
  for (const path of ['', 'hello/manifests/1', 'hello/tags/list', '_catalog'])
    assert.equal((await closed.anonymous.ask('GET', path)).status, 401, path)
  for (const query of ['', '?scope=repository:hello:pull', '?scope=registry:catalog:*'])
    assert.equal((await closed.anonymous.ask('GET', `token${query}`)).status, 401, query)
})

test('a changed password counts at once, the old one no more', async () => {
  const first = anonymous.as(await addUser(registry, 'changing'))
  assert.equal((await first.ask('GET', '')).status, 200)
  const passwordHash = await hashPassword('second password')
  await onAccess(registry, (users) => users.changeUser('changing', { passwordHash }))
  assert.equal((await first.ask('GET', '')).status, 401)
  assert.equal((await anonymous.as({ name: 'changing', password: 'second password' }).ask('GET', '')).status, 200)
  await onAccess(registry, (users) => users.removeUser('changing'))
  assert.equal((await anonymous.as({ name: 'changing', password: 'second password' }).ask('GET', '')).status, 401)
})

test('where a login is forced, the list of images asks for it, and elsewhere it does not', async () => {
  const refused = await anonymous.at(inSecret).ask('GET', '_catalog')
  assert.equal(refused.status, 401)
  assert.match(challengeOf(refused), /scope="registry:catalog:\*"$/)
  for (const client of [anonymous, anonymous.at('/v2')]) assert.equal((await client.ask('GET', '_catalog')).status, 200)
  await using forced = await startTestRegistry({ forceAuthentication: 'all' })
  for (const client of [forced.anonymous, forced.anonymous.at('/v2')])
    assert.equal((await client.ask('GET', '_catalog')).status, 401)
})
