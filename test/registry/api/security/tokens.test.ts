import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { RegistryClient } from '../../../helpers/registry-client.ts'
import { startTestRegistry } from '../../../helpers/registry.ts'
import { recorded, rest, restForm } from '../../../helpers/rest.ts'
import { tinyImage } from '../../../helpers/tiny-image.ts'
import { addUser, onAccess, target } from '../../../helpers/users.ts'

const registry = await startTestRegistry({
  repositories: { 'docker-local': { type: 'local' }, secret: { type: 'local' } },
  users: { ci: { robot: true, groups: [] } },
  anonymousAccess: false,
})
after(() => registry[Symbol.asyncDispose]())
const { admin, anonymous } = registry
await onAccess(registry, (store) =>
  store.putTarget(target('Anything', { repositories: ['docker-local'], groups: { users: ['read', 'deploy'] } })),
)
const dev = anonymous.as(await addUser(registry, 'dev'))
const other = anonymous.as(await addUser(registry, 'other'))
await admin.push('app', 'v1', tinyImage('a'))

const tokens = 'access/api/v1/tokens'
const day = 86_400

interface Made {
  readonly token_id: string
  readonly access_token: string
  readonly expires_in: number
  readonly scope: string
}

async function make(client: RegistryClient, fields: object = {}): Promise<Made> {
  const answer = await rest(client, 'POST', tokens, fields)
  assert.equal(answer.status, 200, answer.message)
  return answer.body as Made
}

async function makeByForm(client: RegistryClient, fields: Record<string, string> = {}): Promise<Made> {
  const answer = await restForm(client, 'security/token', fields)
  assert.equal(answer.status, 200, answer.message)
  return answer.body as Made
}

const pulls = async ({ access_token }: Pick<Made, 'access_token'>, path = 'app/manifests/v1') =>
  (await anonymous.withToken(access_token).ask('GET', path)).status === 200
const pushes = async ({ access_token }: Made) =>
  (await anonymous.withToken(access_token).ask('POST', 'app/blobs/uploads/')).status === 202

test('a user makes a token that does what it may, in JSON or as a form, and is told of it once', async () => {
  const answer = await rest(dev, 'POST', tokens, { description: 'laptop', include_reference_token: true })
  assert.equal(answer.headers['cache-control'], 'no-store')
  const { token_id, access_token, ...told } = answer.body as Made & { readonly reference_token: string }
  assert.deepEqual(told, {
    reference_token: access_token,
    expires_in: 365 * day,
    scope: 'applied-permissions/user',
    token_type: 'Bearer',
  })
  assert.ok(access_token.includes(token_id))
  assert.ok((await pulls({ access_token })) && (await pushes({ token_id, access_token, ...told })))
  const listed = JSON.stringify((await rest(dev, 'GET', tokens)).body)
  assert.ok(listed.includes(token_id) && !listed.includes(access_token.slice(21)))

  const asForm = await dev.ask('POST', `/artifactory/${tokens}`, {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'expires_in=60&include_reference_token=false&refreshable=true&audience=*%40*',
  })
  assert.equal((asForm.json() as Made).expires_in, 60)
  const legacy = await makeByForm(dev)
  assert.deepEqual(
    { ...legacy, access_token: '' },
    {
      access_token: '',
      expires_in: 3600,
      scope: 'applied-permissions/user',
      token_type: 'Bearer',
    },
  )
  assert.ok(await pulls(legacy))
  const wish = {
    grant_type: 'client_credentials',
    username: 'dev',
    scope: 'api:*',
    expires_in: '0',
    refreshable: 'false',
  }
  assert.equal((await makeByForm(dev, wish)).expires_in, 0)
})

test('a token works as a password too, of its user alone', async () => {
  const { access_token: password } = await make(dev)
  assert.equal((await anonymous.as({ name: 'dev', password }).ask('GET', '/v2/')).status, 200)
  assert.equal((await anonymous.as({ name: 'other', password }).ask('GET', '/v2/')).status, 401)
})

test('a token may be limited to some images and actions', async () => {
  const limited = await make(dev, { scope: 'artifact:docker-local/app/**:r' })
  assert.ok(await pulls(limited))
  assert.ok(!(await pushes(limited)))
  const elsewhere = await make(dev, { scope: 'artifact:docker-local/team/**:*' })
  assert.ok(!(await pulls(elsewhere)))
})

test('the list has what Artifactory’s has, the newest first', async () => {
  await using fresh = await startTestRegistry()
  const before = Math.floor(Date.now() / 1000)
  const first = await make(fresh.admin, { description: 'a', expires_in: 100 })
  await fresh.anonymous.withToken(first.access_token).ask('GET', '/v2/')
  const second = await make(fresh.admin, { expires_in: 0, scope: 'artifact:ANY:r' })
  const { tokens: listed } = (await rest(fresh.admin, 'GET', tokens)).body as {
    readonly tokens: readonly Record<string, unknown>[]
  }
  const [newest, oldest] = [listed.find(withId(second)), listed.find(withId(first))]
  const { issued_at, last_used, expiry, ...told } = oldest ?? {}
  assert.deepEqual(told, {
    token_id: first.token_id,
    subject: 'admin',
    description: 'a',
    scope: 'applied-permissions/user',
    refreshable: false,
    kind: 'access',
  })
  assert.ok(Number(issued_at) >= before && Number(last_used) >= before)
  assert.equal(Number(expiry), Number(issued_at) + 100)
  assert.deepEqual(
    [newest?.['expiry'], newest?.['last_used'], newest?.['scope']],
    [undefined, undefined, 'artifact:ANY:r'],
  )
  assert.deepEqual((await rest(fresh.admin, 'GET', `${tokens}/${second.token_id}`)).body, newest)
})

test('a user sees and revokes its own tokens alone; an admin everybody’s', async () => {
  const [mine, theirs] = [await make(dev), await make(other)]
  const listed = JSON.stringify((await rest(dev, 'GET', tokens)).body)
  assert.ok(listed.includes(mine.token_id) && !listed.includes(theirs.token_id))
  const all = JSON.stringify((await rest(admin, 'GET', tokens)).body)
  assert.ok(all.includes(mine.token_id) && all.includes(theirs.token_id))
  for (const id of [theirs.token_id, 'a'.repeat(16), 'nonsense']) {
    assert.equal((await rest(dev, 'GET', `${tokens}/${id}`)).status, 404)
    assert.equal((await rest(dev, 'DELETE', `${tokens}/${id}`)).status, 404)
    assert.equal((await restForm(dev, 'security/token/revoke', { token_id: id })).status, 404)
  }
  assert.ok(await pulls(theirs))
  assert.equal((await rest(dev, 'DELETE', `${tokens}/${mine.token_id}`)).status, 200)
  assert.equal((await rest(admin, 'DELETE', `${tokens}/${theirs.token_id}`)).status, 200)
  assert.ok(!(await pulls(mine)) && !(await pulls(theirs)))
  assert.equal((await rest(dev, 'GET', `${tokens}/${mine.token_id}`)).status, 404)
})

test('a revoked token ends what docker was given for it', async () => {
  const { token_id, access_token: password } = await make(dev)
  const docker = anonymous.withToken(await anonymous.as({ name: 'dev', password }).token('repository:app:pull'))
  assert.equal((await docker.ask('GET', 'app/manifests/v1')).status, 200)
  assert.equal((await restForm(dev, 'security/token/revoke', { token_id })).status, 200)
  assert.equal((await docker.ask('GET', 'app/manifests/v1')).status, 401)
})

test('whoever has the token itself revokes it, but needs a login', async () => {
  const { access_token: token } = await make(dev)
  assert.equal((await restForm(anonymous, 'security/token/revoke', { token })).status, 401)
  assert.equal((await restForm(dev, 'security/token/revoke', { token: `${token.slice(0, -1)}!` })).status, 404)
  assert.equal((await restForm(other, 'security/token/revoke', { token })).status, 200)
  assert.ok(!(await pulls({ access_token: token })))
  assert.equal((await restForm(other, 'security/token/revoke', { token })).status, 404)
  assert.equal((await restForm(other, 'security/token/revoke', {})).status, 400)
  const itself = await make(dev)
  const revoked = await restForm(anonymous.withToken(itself.access_token), 'security/token/revoke', {
    token: itself.access_token,
  })
  assert.equal(revoked.status, 200)
})

test('a token of a user does no more than its user may now, and nothing when that is gone', async () => {
  const short = anonymous.as(await addUser(registry, 'short'))
  const made = await make(short)
  assert.ok(await pushes(made))
  await rest(admin, 'POST', 'security/users/short', { groups: [] })
  assert.ok(!(await pulls(made)))
  await rest(admin, 'DELETE', 'security/users/short')
  assert.equal((await anonymous.withToken(made.access_token).ask('GET', '/v2/')).status, 401)
})

test('nobody but an admin makes a token for another user, an admin’s, or one of a group', async () => {
  for (const [fields, message] of [
    [{ username: 'other' }, /^only an admin makes tokens for others than dev$/],
    [{ username: 'nobody' }, /^only an admin makes tokens for others/],
    [{ scope: 'applied-permissions/admin' }, /^only an admin makes tokens with the scope/],
    [{ scope: 'applied-permissions/groups:users' }, /^only an admin makes tokens with the scope/],
    [{ scope: 'member-of-groups:users api:*' }, /^only an admin makes tokens with the scope/],
    [
      { scope: 'applied-permissions/groups:users artifact:docker-local:r' },
      /^only an admin makes tokens with the scope/,
    ],
  ] as const) {
    const json = await rest(dev, 'POST', tokens, fields)
    assert.equal(json.status, 403, JSON.stringify(fields))
    assert.match(json.message, message)
    assert.equal((await restForm(dev, 'security/token', fields)).status, 403)
  }
})

test('an admin makes tokens for robots, for groups, and of an admin', async () => {
  const robot = await make(admin, { username: 'ci', scope: 'artifact:docker-local:r' })
  assert.ok(!(await pulls(robot)), 'it may do nothing by itself')
  const group = await make(admin, { username: 'job-1', scope: 'applied-permissions/groups:users', expires_in: 60 })
  assert.ok(await pushes(group))
  const whole = await make(admin, { username: 'terraform', scope: 'applied-permissions/admin' })
  assert.equal((await rest(anonymous.withToken(whole.access_token), 'GET', 'security/users')).status, 200)
  const names = { ofAdmin: await make(admin, { username: 'dev' }) }
  assert.ok(await pushes(names.ofAdmin))
})

test('no token makes, sees or revokes tokens, unless it is all of an admin', async () => {
  const mine = await make(dev)
  const kinds = [
    mine.access_token,
    (await make(admin, { scope: 'artifact:ANY:*' })).access_token,
    (await make(admin, { username: 'dev', scope: 'applied-permissions/groups:users' })).access_token,
    (await rest(dev, 'PUT', 'security/apiKey')).body as { readonly apiKey: string },
    String((await rest(dev, 'GET', 'security/encryptedPassword')).body),
  ].map((kind) => (typeof kind === 'string' ? kind : kind.apiKey))
  for (const secret of kinds) {
    const client = anonymous.withToken(secret)
    assert.equal((await rest(client, 'POST', tokens, {})).status, 403)
    assert.equal((await restForm(client, 'security/token', {})).status, 403)
    assert.equal((await rest(client, 'GET', tokens)).status, 403)
    assert.equal((await rest(client, 'GET', `${tokens}/${mine.token_id}`)).status, 403)
    assert.equal((await rest(client, 'DELETE', `${tokens}/${mine.token_id}`)).status, 403)
    assert.equal((await restForm(client, 'security/token/revoke', { token_id: mine.token_id })).status, 403)
  }
  assert.ok(await pulls(mine))
  const docker = anonymous.withToken(await dev.token('repository:app:pull'))
  assert.equal((await rest(docker, 'POST', tokens, {})).status, 401)
  assert.equal((await rest(anonymous, 'POST', tokens, {})).status, 401)
  const whole = anonymous.withToken((await make(admin)).access_token)
  assert.ok(await pulls(await make(whole, { username: 'dev' })))
})

for (const [fields, message] of [
  [{ scope: 'everything' }, /^the scope "everything" is not understood/],
  [{ scope: 'applied-permissions/user applied-permissions/admin' }, /^scopes of different kinds/],
  [{ scope: 'artifact:docker-locl:r' }, /^there is no repository "docker-locl"; did you mean "docker-local"\?$/],
  [{ expires_in: -1 }, /^expires_in: /],
  [{ expires_in: 1.5 }, /^expires_in: /],
  [{ expires_in: '1h' }, /^expires_in: expected a number of seconds, 0 for ever$/],
  [{ expires_in: 1e12 }, /^expires_in: /],
  [{ grant_type: 'refresh_token' }, /^grant_type: expected client_credentials/],
  [{ project_key: 'x' }, /^project_key: expected nothing/],
  [{ refreshable: 'maybe' }, /^refreshable: expected true or false$/],
  [{ expiresIn: 60 }, /^unknown field "expiresIn"; did you mean "expires_in"\?$/],
  [{ username: 'devv' }, /^there is no user devv; did you mean "dev"\?$/],
  [{ username: 'a b', scope: 'applied-permissions/admin' }, /^"a b" is not a user name/],
  [{ username: 'anonymous', scope: 'applied-permissions/groups:x' }, /^"anonymous" is not a (?:group|user) name: /],
] as const)
  test(`${JSON.stringify(fields)} is refused with what is expected, and no token is made`, async () => {
    const before = await registryTokens()
    const answer = await rest(admin, 'POST', tokens, fields)
    assert.equal(answer.status, 400)
    assert.match(answer.message, message)
    assert.deepEqual(await registryTokens(), before)
  })

test('whoever may not read in a repository is not told that it is there', async () => {
  const message = async (key: string) => (await rest(dev, 'POST', tokens, { scope: `artifact:${key}:r` })).message
  assert.match(await message('secret'), /^there is no repository "secret"/)
  assert.ok(!(await message('secrett')).includes('"secret"'))
})

test('what is made and revoked is recorded, by whom and for whom, without the secrets', async () => {
  await using fresh = await startTestRegistry({ users: { ci: { robot: true } } })
  const [own, robots] = [await make(fresh.admin), await make(fresh.admin, { username: 'ci' })]
  await rest(fresh.admin, 'DELETE', `${tokens}/${robots.token_id}`)
  await restForm(fresh.admin, 'security/token/revoke', { token: own.access_token })
  assert.deepEqual(await recorded(fresh.admin, 'token.made,token.revoked'), [
    `admin access ${own.token_id}`,
    `admin access ${robots.token_id}`,
    `admin access ${robots.token_id}`,
    `admin access ${own.token_id}`,
  ])
  const { body } = await rest(fresh.admin, 'GET', 'security/audit?limit=1000')
  const text = JSON.stringify([body, fresh.log])
  assert.match(text, /"reason":"for ci"/)
  for (const { access_token } of [own, robots]) assert.ok(!text.includes(access_token.slice(21)))
})

function withId({ token_id }: Made): (listed: Record<string, unknown>) => boolean {
  return (listed) => listed['token_id'] === token_id
}

async function registryTokens(): Promise<readonly string[]> {
  return onAccess(registry, async (store) => (await store.listTokens(undefined)).map(({ id }) => id))
}
