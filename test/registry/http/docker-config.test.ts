import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startTestRegistry } from '../../helpers/registry.ts'
import { recorded } from '../../helpers/rest.ts'
import { tinyImage } from '../../helpers/tiny-image.ts'
import { accessToken, addUser, makeStandingToken, onAccess, userNamed } from '../../helpers/users.ts'
import { tokenIdOf } from '../../../registry/identity/access-tokens.ts'
import { hashPassword } from '../../../registry/identity/passwords.ts'

const registry = await startTestRegistry({ anonymousAccess: false })
after(() => registry[Symbol.asyncDispose]())
const { anonymous } = registry
const through = anonymous.with({
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'artprod.company.com',
  'x-original-uri': '/v2/auth',
})
const login = { name: 'alice', password: 'password of alice' }
await onAccess(registry, async (access) =>
  access.addUser(userNamed('alice', { email: 'alice@company.com', passwordHash: await hashPassword(login.password) })),
)
const alice = through.as(login)
const paths = ['auth', '/v2/auth', '/artifactory/api/docker/docker-local/v1/auth', '/artifactory/api/docker/v1/auth']

function secretIn(auth: string): { readonly name: string; readonly password: string } {
  const [name = '', password = ''] = Buffer.from(auth, 'base64').toString().split(':')
  return { name, password }
}

test('it is the entry for .dockercfg that the documentation shows, by the V1 and the V2 API', async () => {
  const answers = await Promise.all(paths.map((path) => alice.ask('GET', path)))
  for (const { status, headers, body } of answers) {
    assert.equal(status, 200)
    assert.equal(headers['cache-control'], 'no-store')
    assert.match(
      body.toString(),
      /^"https:\/\/artprod\.company\.com": \{\n {2}"auth": "[A-Za-z0-9+/]+=*",\n {2}"email": "alice@company\.com"\n\}\n$/,
    )
  }
  assert.equal(new Set(answers.map(({ body }) => body.toString())).size, 1, 'it is the same secret each time')
})

test('as a whole file it is one that docker reads', async () => {
  const old = (await alice.ask('GET', 'auth?format=dockercfg')).json() as Record<string, { auth: string }>
  const { auths } = (await alice.ask('GET', 'auth?format=config.json')).json() as typeof old & { auths: typeof old }
  assert.deepEqual(Object.keys(old), ['https://artprod.company.com'])
  assert.deepEqual(Object.keys(auths), ['artprod.company.com'])
  assert.equal(old['https://artprod.company.com']?.auth, auths['artprod.company.com']?.auth)
  assert.equal((await alice.ask('GET', 'auth?format=xml')).status, 400)
})

test('that it is made is recorded once, by the id of the token', async () => {
  const fresh = await addUser(registry, 'carol')
  const asked = async () => (await through.as(fresh).ask('GET', 'auth?format=config.json')).json()
  const { auths } = (await asked()) as { readonly auths: Record<string, { readonly auth: string }> }
  await asked()
  const { password } = secretIn(auths['artprod.company.com']?.auth ?? '')
  const made = (await recorded(registry.admin, 'token.made')).filter((entry) => entry.startsWith('carol '))
  assert.deepEqual(made, [`carol encrypted password ${tokenIdOf(password)}`])
})

test('its secret works as password, is not the password, and ends with it', async () => {
  const { auths } = (await alice.ask('GET', 'auth?format=config.json')).json() as Record<
    string,
    Record<string, { auth: string }>
  >
  const secret = secretIn(auths?.['artprod.company.com']?.auth ?? '')
  assert.equal(secret.name, 'alice')
  assert.notEqual(secret.password, login.password)
  const docker = anonymous.as(secret)
  await docker.push('hello', '1', tinyImage('a'))
  const pulling = anonymous.withToken(await docker.token('repository:hello:pull'))
  assert.equal((await pulling.ask('GET', 'hello/manifests/1')).status, 200)
  assert.equal((await anonymous.as({ ...secret, name: 'admin' }).ask('GET', '')).status, 401)

  const passwordHash = await hashPassword('another password')
  await onAccess(registry, (access) => access.changeUser('alice', { passwordHash }))
  assert.equal((await docker.ask('GET', '')).status, 401)
  assert.equal((await pulling.ask('GET', 'hello/manifests/1')).status, 401)
})

test('it is for those who log in with all that they may do', async () => {
  for (const path of paths) {
    const refused = await through.ask('GET', path)
    assert.equal(refused.status, 401, path)
    assert.equal(refused.headers['www-authenticate'], 'Basic realm="Caisson"')
    assert.equal((await through.as({ name: 'admin', password: 'wrong' }).ask('GET', path)).status, 401)
  }
  const bob = anonymous.as(await addUser(registry, 'bob'))
  const token = await bob.token('repository:hello:pull')
  assert.equal((await through.withToken(token).ask('GET', 'auth')).status, 401)
})

test('a token or an API key gets no secret that goes on without it; the secret itself is told again', async () => {
  await addUser(registry, 'carol')
  const { token } = await accessToken(registry, 'carol', undefined, { lifeSeconds: 60 })
  const apiKey = await makeStandingToken(registry, 'carol', 'api key')
  const encrypted = await makeStandingToken(registry, 'carol', 'encrypted password')
  for (const password of [token, apiKey])
    for (const path of paths) assert.equal((await through.as({ name: 'carol', password }).ask('GET', path)).status, 403)
  assert.equal((await through.as({ name: 'carol', password: encrypted }).ask('GET', 'auth')).status, 200)
})
