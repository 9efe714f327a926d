import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startTestRegistry } from '../../helpers/registry.ts'

const registry = await startTestRegistry()
after(() => registry[Symbol.asyncDispose]())

test('the version check asks for a login although anonymous may pull', async () => {
  const answer = await registry.anonymous.ask('GET', '')
  assert.equal(answer.status, 401)
  assert.equal(answer.error(), 'UNAUTHORIZED')
  assert.equal(
    answer.headers['www-authenticate'],
    'Bearer realm="http://registry.test/artifactory/api/docker/docker-local/v2/token",service="registry.test"',
  )
})

test('the version check is passed with a password, and with a token of anonymous', async () => {
  const byPassword = await registry.admin.ask('GET', '')
  assert.equal(byPassword.status, 200)
  assert.deepEqual(byPassword.json(), {})

  const token = await registry.anonymous.token()
  assert.equal((await registry.anonymous.withToken(token).ask('GET', '')).status, 200)
})

test('the version check is answered with and without its last slash, by HEAD too, in path mode, and without a proxy', async () => {
  for (const path of ['/v2', '/v2/', '/artifactory/api/docker/v2/', '/artifactory/api/docker/docker-local/v2'])
    for (const method of ['GET', 'HEAD']) {
      const answer = await registry.admin.ask(method, path)
      assert.equal(answer.status, 200, `${method} ${path}`)
      assert.equal(answer.headers['docker-distribution-api-version'], 'registry/2.0')
    }
})

for (const [what, authorization] of [
  ['a wrong password', `Basic ${Buffer.from('admin:wrong password').toString('base64')}`],
  ['an unknown user', `Basic ${Buffer.from('nobody:correct horse').toString('base64')}`],
  ['a Basic value that is not base64', 'Basic §§§'],
  ['a Basic value without a colon', `Basic ${Buffer.from('admin').toString('base64')}`],
  ['a token that is not ours', 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.'],
  ['a scheme that is not served', 'Digest username="admin"'],
  ['an empty header', ''],
] as const)
  test(`${what} is refused, not taken for anonymous`, async () => {
    for (const path of ['', 'hello/tags/list', '_catalog', 'token']) {
      const answer = await registry.anonymous.ask('GET', path, { headers: { authorization: authorization } })
      assert.equal(answer.status, 401, path)
      assert.equal(answer.error(), 'UNAUTHORIZED')
      assert.ok(answer.headers['www-authenticate'], path)
    }
  })

test('what is not served answers 404 as JSON', async () => {
  for (const path of ['/', '/v3/', '/artifactory/api/docker/docker-local/v3/'])
    for (const method of ['GET', 'PUT']) {
      const answer = await registry.admin.ask(method, path, method === 'PUT' ? { body: '[]' } : {})
      assert.equal(answer.status, 404, `${method} ${path}`)
      assert.equal(answer.error(), 'NAME_UNKNOWN')
    }
})

test('every answer under /v2 names the API, also a refusal, also of a path that is not understood', async () => {
  for (const [path, status] of [
    ['hello/manifests/unknown', 404],
    ['hello/blobs/sha256:short', 400],
    ['hello/nothing/here', 404],
    ['HELLO/tags/list', 400],
    ['hello/..%2f/tags/list', 400],
    ['a//b/tags/list', 400],
    ['hello/%00/tags/list', 400],
  ] as const) {
    const answer = await registry.anonymous.ask('GET', path)
    assert.equal(answer.status, status, path)
    assert.equal(answer.headers['docker-distribution-api-version'], 'registry/2.0', path)
    assert.ok(answer.error())
  }
})

test('a method that an endpoint does not have is answered with those that it has', async () => {
  const answer = await registry.admin.ask('POST', 'hello/manifests/1', { body: 'x' })
  assert.equal(answer.status, 405)
  assert.equal(answer.error(), 'UNSUPPORTED')
  assert.equal(answer.headers.allow, 'GET, PUT, DELETE, HEAD')
})

test('a refusal by HEAD has the status and no body', async () => {
  const answer = await registry.anonymous.ask('HEAD', 'hello/manifests/unknown')
  assert.equal(answer.status, 404)
  assert.equal(answer.body.length, 0)
})
