import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { JWTPayload } from 'jose'
import type { Answer } from '../../helpers/registry-client.ts'
import { rest } from '../../helpers/rest.ts'
import { startTestRegistry } from '../../helpers/registry.ts'
import { tokenIdOf } from '../../../registry/identity/access-tokens.ts'
import { discoveryPath, startTokenIssuer } from '../../helpers/token-issuer.ts'

const path = '/artifactory/access/api/v1/oidc/token'
const issuer = await startTokenIssuer()
after(() => issuer[Symbol.asyncDispose]())
const rules = [
  { name: 'main', claims: { ref: 'refs/heads/main', environment: 'production' }, user: 'ci', life: '5m' },
  { name: 'readers', claims: { ref: 'refs/heads/*' }, groups: ['readers'] },
]
const section = {
  users: { ci: { robot: true } },
  oidc: {
    github: { issuer: issuer.issuer, workload: { audience: 'caisson', rules } },
    console: { issuer: issuer.issuer, clientId: 'x' },
  },
}
const registry = await startTestRegistry(section)
after(() => registry[Symbol.asyncDispose]())
const { anonymous, log } = registry

const seconds = Math.floor(Date.now() / 1000)
const sign = (claims: JWTPayload) =>
  issuer.sign({ iss: issuer.issuer, aud: 'caisson', sub: 'repo:x', iat: seconds, exp: seconds + 300, ...claims })
const form = (token: string) => ({
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
  subject_token: token,
  provider_name: 'github',
})
const asJson = async (fields: object, client = anonymous): Promise<Answer> =>
  await client.ask('POST', path, { headers: { 'content-type': 'application/json' }, body: JSON.stringify(fields) })
const asForm = async (fields: Record<string, string>): Promise<Answer> =>
  await anonymous.ask('POST', path, {
    headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    body: new URLSearchParams(fields).toString(),
  })
const messageOf = (answer: Answer) => (answer.json() as { errors: [{ message: string }] }).errors[0].message

test('a job exchanges its token for one of the registry, in JSON or as a form', async () => {
  const fields = form(await sign({ ref: 'refs/heads/main', environment: 'production' }))
  const jwt = { ...fields, subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' }
  const more = { ...fields, project_key: 'x', gh_run_id: '7', identity_mapping_name: 'main' }
  for (const answer of [await asJson(fields), await asJson(more), await asForm(fields), await asForm(jwt)]) {
    assert.equal(answer.status, 200, answer.body.toString())
    assert.equal(answer.headers['cache-control'], 'no-store')
    const { access_token, ...rest } = answer.json() as Record<string, unknown>
    assert.match(String(access_token), /^csn_/)
    assert.deepEqual(rest, {
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in: 300,
      scope: 'applied-permissions/user',
      username: 'ci',
    })
  }
  const line = log.findLast(({ msg }) => msg === 'job token exchanged')
  assert.deepEqual(
    { provider: line?.['provider'], rule: line?.['rule'], by: line?.['by'], subject: line?.['subject'] },
    { provider: 'github', rule: 'main', by: 'ci', subject: 'repo:x' },
  )
})

test('a job may ask for another rule than the first that matches', async () => {
  const token = await sign({ ref: 'refs/heads/main', environment: 'production' })
  const answer = await asJson({ ...form(token), identity_mapping_name: 'readers' })
  const { username, scope, expires_in } = answer.json() as Record<string, unknown>
  assert.deepEqual([username, scope, expires_in], ['github/readers', 'applied-permissions/groups:readers', 600])
})

test('a token that no rule matches is told nothing but that; the log says what was missing', async () => {
  const answer = await asJson(form(await sign({ ref: 'refs/tags/v1', environment: 'production' })))
  assert.equal(answer.status, 401)
  assert.equal(answer.error(), 'UNAUTHORIZED')
  assert.equal(messageOf(answer), 'no rule of the provider "github" matches this token')
  assert.equal(answer.headers['www-authenticate'], undefined)
  assert.deepEqual(log.findLast(({ msg }) => msg === 'job token matches no rule')?.['misses'], [
    { rule: 'main', claims: ['ref'] },
    { rule: 'readers', claims: ['ref'] },
  ])
})

test('a token that does not count is refused with 401', async () => {
  const answer = await asForm(form(await sign({ aud: 'another', ref: 'refs/heads/main' })))
  assert.equal(answer.status, 401)
  assert.match(messageOf(answer), /its claim "aud" is not as expected$/)
})

test('what a job is given, and what it is refused, is recorded with the provider and where it came from', async () => {
  const client = anonymous.with({ 'x-forwarded-for': '203.0.113.9', 'x-request-id': 'a job' })
  const main = { ref: 'refs/heads/main', environment: 'production' }
  const made = (await asJson(form(await sign(main)), client)).json() as { readonly access_token: string }
  await asJson(form(await sign({ ref: 'refs/tags/v1' })), client)
  await asJson(form(await sign({ ...main, aud: 'another' })), client)
  const { body } = await rest(registry.admin, 'GET', 'security/audit')
  const entries = (body as { entries: Record<string, unknown>[] }).entries
    .filter(({ requestId }) => requestId === 'a job')
    .map(({ at: _at, requestId: _id, ...entry }) => entry)
  const from = { with: 'oidc:github', address: '203.0.113.9' }
  const job = { by: 'ci', ...from, reason: 'rule main for repo:x' }
  const [invalid, ...others] = entries
  assert.match(String(invalid?.['reason']), /its claim "aud" is not as expected$/)
  assert.deepEqual(others, [
    { type: 'login.failed', ...from, reason: 'no rule matches repo:x' },
    { type: 'token.made', ...job, action: 'access', subject: tokenIdOf(made.access_token) },
    { type: 'login', ...job },
  ])
})

test('a request that is none names what is missing', async () => {
  const fields = form(await sign({}))
  for (const [change, says] of [
    [{ grant_type: 'password' }, /^grant_type: /],
    [{ subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' }, /^subject_token_type: /],
    [{ subject_token: undefined }, /^subject_token: /],
    [{ subject_token: ['x'] }, /^subject_token: /],
    [{ provider_name: 'nobody' }, /^provider_name: /],
    [{ provider_name: 'console' }, /^provider_name: /],
    [{ provider_name: 'constructor' }, /^provider_name: /],
  ] as const) {
    const answer = await asJson({ ...fields, ...change })
    assert.equal(answer.status, 400)
    assert.match(messageOf(answer), says)
  }
  const json = { 'content-type': 'application/json' }
  for (const question of [
    { body: JSON.stringify(fields) },
    { headers: json, body: 'x' },
    { headers: json, body: '[]' },
    { headers: json },
    { headers: json, body: JSON.stringify({ ...fields, padding: 'x'.repeat(64 * 1024) }) },
  ])
    assert.equal((await anonymous.ask('POST', path, question)).status, 400)
})

test('no token is ever in the log', async () => {
  const { length } = log
  const token = await sign({ ref: 'refs/heads/main', environment: 'production' })
  const [head = '', , signature = ''] = token.split('.')
  const made = (await asJson(form(token))).json() as { readonly access_token: string }
  await asJson(form(`${token}x`))
  await asJson({ ...form(token), grant_type: token })
  await asJson({ ...form(token), provider_name: token })
  await asJson({ ...form(token), identity_mapping_name: 'unknown' })
  const lines = JSON.stringify(log.slice(length))
  for (const part of [head, signature, made.access_token]) assert.ok(!lines.includes(part))
})

test('while the provider cannot be asked the answer is 503', async () => {
  const token = await sign({ ref: 'refs/heads/main' })
  issuer.instead.set(discoveryPath, (response) => response.destroy())
  await using fresh = await startTestRegistry(section)
  const failed = await asJson(form(token), fresh.anonymous)
  issuer.instead.delete(discoveryPath)
  assert.equal(failed.status, 503)
  assert.equal(failed.headers['retry-after'], '5')
  assert.equal(messageOf(failed), 'the provider "github" cannot be asked')
  assert.equal((await asJson(form(token), fresh.anonymous)).status, 200)
})
