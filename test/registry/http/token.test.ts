import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { z } from 'zod'
import type { Answer } from '../../helpers/registry-client.ts'
import { admin as login, startTestRegistry } from '../../helpers/registry.ts'

const registry = await startTestRegistry({
  repositories: { 'docker-local': { type: 'local' }, other: { type: 'local' } },
})
after(() => registry[Symbol.asyncDispose]())
const { admin, anonymous } = registry

const tokenAnswer = z.strictObject({
  token: z.string(),
  access_token: z.string(),
  expires_in: z.number(),
  issued_at: z.iso.datetime(),
})
const all = ['read', 'annotate', 'deploy', 'delete', 'manage']

function claimsOf(answer: Answer) {
  assert.equal(answer.status, 200, answer.body.toString())
  const { token, access_token, expires_in } = tokenAnswer.parse(answer.json())
  assert.equal(access_token, token)
  assert.equal(expires_in, 3600)
  assert.equal(answer.headers['cache-control'], 'no-store')
  return decodeJwt(token)
}

async function post(fields: Readonly<Record<string, string>>): Promise<Answer> {
  return await anonymous.ask('POST', 'token', {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields).toString(),
  })
}

test('a token says who has it, for which service, for what and until when', async () => {
  const answer = await admin.ask('GET', 'token?service=my.registry&scope=repository:team/app:pull,push&account=admin')
  const claims = claimsOf(answer)
  assert.equal(claims.sub, 'admin')
  assert.equal(claims.iss, 'caisson')
  assert.equal(claims.aud, 'my.registry')
  assert.ok(claims.jti)
  assert.equal(Number(claims.exp) - Number(claims.iat), 3600)
  assert.equal(claims.nbf, claims.iat)
  assert.deepEqual(claims['access'], [{ repository: 'docker-local', image: 'team/app', actions: ['read', 'deploy'] }])
  const { alg } = decodeProtectedHeader(tokenAnswer.parse(answer.json()).token)
  assert.equal(alg, 'ES256')
})

for (const [what, query, access] of [
  ['no scope', '', []],
  ['all actions', 'scope=repository:a:*', [{ repository: 'docker-local', image: 'a', actions: all }]],
  [
    'scopes in one parameter and in several',
    'scope=repository:a:pull%20repository:b:pull&scope=repository:c:pull',
    ['a', 'b', 'c'].map((image) => ({ repository: 'docker-local', image, actions: ['read'] })),
  ],
  ['a scope that is none', 'scope=nonsense&scope=repository:UPPER:pull&scope=repository:a:fly', []],
  [
    'a resource class',
    'scope=repository(plugin):a:pull',
    [{ repository: 'docker-local', image: 'a', actions: ['read'] }],
  ],
] as const)
  test(`${what} in the query gives what it names`, async () => {
    assert.deepEqual(claimsOf(await admin.ask('GET', `token?${query}`))['access'], access)
  })

test('in path mode names begin with the repository key', async () => {
  for (const base of ['/v2', '/artifactory/api/docker/v2']) {
    const query = 'token?scope=repository:other/team/app:pull&scope=repository:hello:pull'
    const claims = claimsOf(await admin.at(base).ask('GET', query))
    assert.deepEqual(claims['access'], [{ repository: 'other', image: 'team/app', actions: ['read'] }])
  }
})

test('anonymous is given a token for what anonymous may', async () => {
  const query = 'token?scope=repository:a:pull,push&scope=registry:catalog:*'
  const claims = claimsOf(await anonymous.ask('GET', query))
  assert.equal(claims.sub, '')
  assert.deepEqual(claims['access'], [{ repository: 'docker-local', image: 'a', actions: ['read'] }])
  assert.equal(claims['catalog'], true)
})

test('a wrong password is 401', async () => {
  const refused = await anonymous.as({ name: 'admin', password: 'wrong' }).ask('GET', 'token')
  assert.equal(refused.status, 401)
  assert.equal(refused.error(), 'UNAUTHORIZED')
  assert.equal(refused.headers['www-authenticate'], 'Basic realm="Caisson"')
})

test('a token buys no other token', async () => {
  const token = await admin.token('repository:a:pull')
  assert.equal((await anonymous.withToken(token).ask('GET', 'token?scope=repository:b:pull')).status, 401)
})

test('a token outlives a restart, for its key is kept', async () => {
  const client = anonymous.withToken(await admin.token('repository:a:pull,push'))
  await registry.restart()
  assert.equal((await client.ask('POST', 'a/blobs/uploads/')).status, 202)
})

test('the OAuth2 form gives the same, as BuildKit asks first', async () => {
  const answer = await post({
    grant_type: 'password',
    username: login.name,
    password: login.password,
    scope: 'repository:a:pull repository:b:pull,push',
    service: 'registry.test',
    client_id: 'buildkit',
  })
  const claims = claimsOf(answer)
  assert.equal(claims.sub, 'admin')
  assert.deepEqual(claims['access'], [
    { repository: 'docker-local', image: 'a', actions: ['read'] },
    { repository: 'docker-local', image: 'b', actions: ['read', 'deploy'] },
  ])
})

for (const [what, fields, status, error] of [
  ['another grant', { grant_type: 'client_credentials' }, 400, 'unsupported_grant_type'],
  ['a refresh token that is none', { grant_type: 'refresh_token', refresh_token: 'x' }, 401, 'invalid_grant'],
  ['no refresh token', { grant_type: 'refresh_token' }, 400, 'invalid_request'],
  ['no grant', {}, 400, 'unsupported_grant_type'],
  ['no password', { grant_type: 'password', username: 'admin' }, 400, 'invalid_request'],
  ['a wrong password', { grant_type: 'password', username: 'admin', password: 'x' }, 401, 'invalid_grant'],
] as const)
  test(`the OAuth2 form with ${what} is refused as OAuth2 says`, async () => {
    const refused = await post(fields)
    assert.equal(refused.status, status)
    const {
      error: code,
      error_description,
      errors,
    } = z
      .strictObject({ error: z.string(), error_description: z.string(), errors: z.array(z.unknown()) })
      .parse(refused.json())
    assert.equal(code, error)
    assert.deepEqual(errors, [{ code: status === 401 ? 'UNAUTHORIZED' : 'UNSUPPORTED', message: error_description }])
    assert.ok(!error_description.includes('password=x'))
  })

test('a POST that is no form, or a very long one, is refused', async () => {
  assert.equal((await anonymous.ask('POST', 'token', { body: '{}' })).status, 400)
  assert.equal((await post({ grant_type: 'x'.repeat(70_000) })).status, 400)
})
