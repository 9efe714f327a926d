import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startTestRegistry } from '../../../helpers/registry.ts'
import { recorded, rest, restForm } from '../../../helpers/rest.ts'
import { addUser } from '../../../helpers/users.ts'

const registry = await startTestRegistry()
after(() => registry[Symbol.asyncDispose]())
const { admin, anonymous } = registry
const dev = anonymous.as(await addUser(registry, 'dev'))
const other = anonymous.as(await addUser(registry, 'other'))

const keyOf = async (client: typeof admin, method = 'GET') => {
  const { body } = await rest(client, method, 'security/apiKey')
  return (body as { readonly apiKey?: string }).apiKey ?? ''
}
const isGood = async (secret: string) =>
  (await anonymous.with({ 'x-jfrog-art-api': secret }).ask('GET', '/artifactory/api/security/users/dev')).status === 200

test('a key is made, told again, renewed and revoked', async () => {
  assert.deepEqual((await rest(dev, 'GET', 'security/apiKey')).body, {})
  const made = await rest(dev, 'POST', 'security/apiKey')
  assert.equal(made.status, 201)
  assert.equal(made.headers['cache-control'], 'no-store')
  const first = (made.body as { readonly apiKey: string }).apiKey
  assert.equal(await keyOf(dev), first)
  assert.ok(await isGood(first))
  assert.equal((await rest(dev, 'POST', 'security/apiKey')).status, 409)
  assert.equal(await keyOf(dev), first)

  const second = await keyOf(dev, 'PUT')
  assert.notEqual(second, first)
  assert.ok(!(await isGood(first)))
  assert.ok(await isGood(second))
  assert.equal((await rest(dev, 'DELETE', 'security/apiKey')).status, 200)
  assert.ok(!(await isGood(second)))
  assert.equal((await rest(dev, 'DELETE', 'security/apiKey')).status, 404)
  assert.deepEqual((await rest(dev, 'GET', 'security/apiKey')).body, {})
})

test('keys are each user’s own; an admin revokes those of others', async () => {
  const [key, ofOther] = [await keyOf(dev, 'PUT'), await keyOf(other, 'PUT')]
  assert.notEqual(key, ofOther)
  assert.equal((await rest(other, 'DELETE', 'security/apiKey/dev')).status, 403)
  assert.equal((await rest(admin, 'DELETE', 'security/apiKey/dev')).status, 200)
  assert.equal((await rest(admin, 'DELETE', 'security/apiKey/dev')).status, 404)
  assert.ok(!(await isGood(key)))
  assert.equal(await keyOf(other), ofOther)
  const slash = await rest(other, 'DELETE', 'security/apiKey/')
  assert.deepEqual([slash.status, await keyOf(other)], [400, ofOther])
})

test('the encrypted password is the same each time, works in place of the password, and ends with it', async () => {
  const answer = await rest(dev, 'GET', 'security/encryptedPassword')
  assert.match(String(answer.headers['content-type']), /^text\/plain/)
  assert.equal(answer.headers['cache-control'], 'no-store')
  const encrypted = String(answer.body)
  assert.equal((await rest(dev, 'GET', 'security/encryptedPassword')).body, encrypted)
  const withIt = anonymous.as({ name: 'dev', password: encrypted })
  assert.equal((await withIt.ask('GET', '/v2/')).status, 200)
  assert.equal((await rest(dev, 'POST', 'security/users/dev', { password: 'password of dev' })).status, 200)
  assert.equal((await withIt.ask('GET', '/v2/')).status, 401)
  assert.notEqual((await rest(dev, 'GET', 'security/encryptedPassword')).body, encrypted)
})

test('of several that ask at once for a key, or the encrypted password, none is told one that is good no more', async () => {
  const asker = anonymous.as(await addUser(registry, 'asker'))
  const times = <answer>(ask: () => Promise<answer>) => Promise.all(Array.from({ length: 8 }, ask))
  const encrypted = await times(async () => (await rest(asker, 'GET', 'security/encryptedPassword')).body)
  assert.equal(new Set(encrypted).size, 1)
  const made = await times(() => rest(asker, 'POST', 'security/apiKey'))
  assert.equal(made.filter(({ status }) => status === 409).length, 7)
  const told = made.find(({ status }) => status === 201)?.body
  assert.deepEqual(told, { apiKey: await keyOf(asker) })
})

test('keys are told and made for whoever is there in person, or an admin: not for a token, a key, or nobody', async () => {
  const token = await tokenFor(dev, {})
  const limited = await tokenFor(admin, { scope: 'artifact:ANY:*' })
  const groups = await tokenFor(admin, { username: 'dev', scope: 'applied-permissions/groups:users' })
  const encrypted = String((await rest(dev, 'GET', 'security/encryptedPassword')).body)
  const key = await keyOf(dev, 'PUT')
  for (const secret of [token, limited, groups, encrypted, key])
    for (const [method, path] of [
      ['GET', 'security/apiKey'],
      ['PUT', 'security/apiKey'],
      ['POST', 'security/apiKey'],
      ['DELETE', 'security/apiKey'],
      ['GET', 'security/encryptedPassword'],
    ] as const) {
      assert.equal((await rest(anonymous.withToken(secret), method, path)).status, 403, `${method} ${path}`)
      assert.equal((await rest(anonymous, method, path)).status, 401)
    }
  assert.equal(await keyOf(dev), key)
  const docker = await dev.token('repository:app:pull,push')
  assert.equal((await rest(anonymous.withToken(docker), 'GET', 'security/apiKey')).status, 401)
})

test('an admin’s whole token is enough; one that stands for no user here has no key', async () => {
  assert.match(await keyOf(anonymous.withToken(await tokenFor(admin, {})), 'PUT'), /^csn_/)
  const alone = await tokenFor(admin, { username: 'robot', scope: 'applied-permissions/admin' })
  const refused = await rest(anonymous.withToken(alone), 'POST', 'security/apiKey')
  assert.deepEqual([refused.status, refused.message], [404, 'there is no user robot'])
})

test('all of it is recorded, and no secret', async () => {
  await using fresh = await startTestRegistry()
  const secrets = [
    await keyOf(fresh.admin, 'POST'),
    await keyOf(fresh.admin, 'PUT'),
    String((await rest(fresh.admin, 'GET', 'security/encryptedPassword')).body),
  ]
  await rest(fresh.admin, 'GET', 'security/encryptedPassword')
  await rest(fresh.admin, 'DELETE', 'security/apiKey')
  const [first, second, encrypted] = secrets.map((secret) => secret.split('_')[1])
  assert.deepEqual(await recorded(fresh.admin, 'token.made,token.revoked'), [
    `admin api key ${first}`,
    `admin api key ${first}`,
    `admin api key ${second}`,
    `admin encrypted password ${encrypted}`,
    `admin api key ${second}`,
  ])
  const { body } = await rest(fresh.admin, 'GET', 'security/audit?limit=1000')
  for (const secret of secrets) assert.ok(!JSON.stringify([body, fresh.log]).includes(secret.slice(21)))
})

test('the keys of docker’s tokens are published, and whoever keeps them need not ask each time', async () => {
  const { status, body, headers } = await rest(anonymous, 'GET', 'security/token/jwks')
  assert.equal(status, 200)
  assert.equal(headers['cache-control'], 'max-age=300')
  const { keys } = body as { readonly keys: readonly Readonly<Record<string, unknown>>[] }
  const [head = ''] = (await dev.token('repository:app:pull')).split('.')
  const { kid } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { readonly kid: string }
  assert.ok(keys.some((key) => key['kid'] === kid))
  for (const key of keys) assert.equal(key['d'], undefined)
})

async function tokenFor(client: typeof admin, fields: Record<string, string>): Promise<string> {
  const { body, message } = await restForm(client, 'security/token', fields)
  assert.equal(message, '')
  return (body as { readonly access_token: string }).access_token
}
