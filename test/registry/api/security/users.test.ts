import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startTestRegistry, admin as adminLogin } from '../../../helpers/registry.ts'
import { recorded, rest } from '../../../helpers/rest.ts'
import { addUser, onAccess } from '../../../helpers/users.ts'

const registry = await startTestRegistry({ users: { root: { robot: true, email: 'root@test', groups: [] } } })
after(() => registry[Symbol.asyncDispose]())
const { admin, anonymous } = registry
const dev = anonymous.as(await addUser(registry, 'dev'))
const alice = (password: string) => anonymous.as({ name: 'alice', password })
const logsIn = async (client: typeof admin) => (await client.ask('GET', '/v2/')).status === 200

test('an admin makes a user, who can log in, and sees it with the fields that Artifactory has', async () => {
  const fields = { email: 'alice@test', password: 'long enough', groups: ['users'], admin: false }
  assert.equal((await rest(admin, 'PUT', 'security/users/alice', fields)).status, 201)
  assert.ok(await logsIn(alice('long enough')))
  const { status, body } = await rest(admin, 'GET', 'security/users/alice')
  const { lastLoggedIn, ...told } = body as { readonly lastLoggedIn: string }
  assert.equal(status, 200)
  assert.ok(Math.abs(Date.parse(lastLoggedIn) - Date.now()) < 60_000)
  assert.deepEqual(told, {
    name: 'alice',
    email: 'alice@test',
    admin: false,
    profileUpdatable: true,
    disableUIAccess: false,
    internalPasswordDisabled: false,
    groups: ['users'],
    realm: 'internal',
  })
})

test('a user may be put again: what is left out is as for a new one, but the password stays', async () => {
  const answer = await rest(admin, 'PUT', 'security/users/alice', { admin: true, groups: [] })
  assert.equal(answer.status, 200, answer.message)
  assert.deepEqual(await fieldsOf('alice', 'email', 'admin', 'groups'), [undefined, true, []])
  assert.ok(await logsIn(alice('long enough')))
  await rest(admin, 'PUT', 'security/users/alice', { password: 'another one' })
  assert.deepEqual(await fieldsOf('alice', 'admin', 'groups'), [false, ['users']], 'those that new users join')
  assert.ok(!(await logsIn(alice('long enough'))))
  assert.ok(await logsIn(alice('another one')))
})

test('what an answer said can be sent back, changed or not', async () => {
  const { body } = await rest(admin, 'GET', 'security/users/alice')
  assert.equal((await rest(admin, 'PUT', 'security/users/alice', body as object)).status, 200)
  const { body: after } = await rest(admin, 'GET', 'security/users/alice')
  assert.deepEqual(after, body)
  const changed = { ...(body as object), email: 'new@test' }
  assert.equal((await rest(admin, 'POST', 'security/users/alice', changed)).status, 200)
  assert.deepEqual(await fieldsOf('alice', 'email'), ['new@test'])
})

test('an update changes what it names, and makes no user', async () => {
  assert.equal((await rest(admin, 'POST', 'security/users/alice', { admin: true })).status, 200)
  assert.deepEqual(await fieldsOf('alice', 'admin', 'email', 'groups'), [true, 'new@test', ['users']])
  assert.equal((await rest(admin, 'POST', 'security/users/alice', { email: '', admin: null })).status, 200)
  assert.deepEqual(await fieldsOf('alice', 'admin', 'email'), [true, undefined])
  await rest(admin, 'POST', 'security/users/alice', { admin: false })
  const unknown = await rest(admin, 'POST', 'security/users/nobody', { admin: true })
  assert.deepEqual([unknown.status, unknown.message], [404, 'there is no user nobody'])
})

test('without an internal password it is a robot, until it is given one', async () => {
  assert.equal((await rest(admin, 'PUT', 'security/users/ci', { internalPasswordDisabled: true })).status, 201)
  assert.deepEqual(await fieldsOf('ci', 'internalPasswordDisabled', 'profileUpdatable'), [true, false])
  assert.equal((await onAccess(registry, (store) => store.findUser('ci')))?.kind, 'robot')
  const robot = await rest(admin, 'POST', 'security/users/ci', { password: 'long enough' })
  assert.deepEqual([robot.status, robot.message], [400, 'ci is a robot: it has tokens and no password'])
  const user = { password: 'long enough', internalPasswordDisabled: false }
  assert.equal((await rest(admin, 'POST', 'security/users/ci', user)).status, 200)
  assert.ok(await logsIn(anonymous.as({ name: 'ci', password: 'long enough' })))
  assert.equal((await rest(admin, 'POST', 'security/users/ci', { internalPasswordDisabled: true })).status, 200)
  assert.ok(!(await logsIn(anonymous.as({ name: 'ci', password: 'long enough' }))))
  assert.equal((await rest(admin, 'POST', 'security/users/ci', { internalPasswordDisabled: false })).status, 400)
})

test('users are listed with where each is told of', async () => {
  const { body } = await rest(admin, 'GET', 'security/users')
  const found = (body as { readonly name: string }[]).find(({ name }) => name === 'dev')
  const uri = 'http://registry.test/artifactory/api/security/users/dev'
  assert.deepEqual(found, { name: 'dev', uri, realm: 'internal' })
})

test('others than admins see and change themselves alone, and of themselves the password and the email', async () => {
  assert.equal((await rest(anonymous, 'GET', 'security/users/dev')).status, 401)
  assert.deepEqual((await rest(dev, 'GET', 'security/users/dev')).status, 200)
  for (const [method, path, fields] of [
    ['GET', 'security/users'],
    ['GET', 'security/users/admin'],
    ['GET', 'security/users/nobody'],
    ['PUT', 'security/users/dev', { admin: true }],
    ['PUT', 'security/users/new', { password: 'long enough' }],
    ['POST', 'security/users/admin', { password: 'long enough' }],
    ['POST', 'security/users/dev', { admin: true }],
    ['POST', 'security/users/dev', { groups: ['users'] }],
    ['POST', 'security/users/dev', { internalPasswordDisabled: true }],
    ['DELETE', 'security/users/dev'],
    ['DELETE', 'security/users/admin'],
  ] as const)
    assert.equal((await rest(dev, method, path, fields)).status, 403, `${method} ${path}`)
  assert.equal(
    (await rest(dev, 'POST', 'security/users/dev', { email: 'dev@test', password: 'mine alone' })).status,
    200,
  )
  const changed = anonymous.as({ name: 'dev', password: 'mine alone' })
  assert.ok(await logsIn(changed))
  assert.ok(!(await logsIn(dev)))
  assert.equal((await rest(changed, 'POST', 'security/users/dev', { password: 'password of dev' })).status, 200)
})

test('a password is changed by who knows it: a token, a key or an encrypted password of the user is not enough', async () => {
  const { body } = await rest(dev, 'POST', 'access/api/v1/tokens', {})
  const key = (await rest(dev, 'POST', 'security/apiKey')).body as { readonly apiKey: string }
  const encrypted = String((await rest(dev, 'GET', 'security/encryptedPassword')).body)
  const token = (body as { readonly access_token: string }).access_token
  for (const secret of [token, key.apiKey, encrypted])
    for (const client of [anonymous.withToken(secret), anonymous.as({ name: 'dev', password: secret })]) {
      assert.ok(await logsIn(client))
      const refused = await rest(client, 'POST', 'security/users/dev', { password: 'taken over' })
      assert.equal(refused.status, 403)
      assert.match(refused.message, /^log in with the password for this/)
    }
})

test('the last admin stays an admin who can log in', async () => {
  await using alone = await startTestRegistry()
  for (const [method, fields] of [
    ['POST', { admin: false }],
    ['POST', { internalPasswordDisabled: true }],
    ['PUT', { password: adminLogin.password }],
    ['DELETE', undefined],
  ] as const) {
    const answer = await rest(alone.admin, method, 'security/users/admin', fields)
    assert.equal(answer.status, 409, method)
    assert.match(answer.message, /^admin is the last admin/)
  }
})

test('a change that is refused changes no groups either', async () => {
  await using alone = await startTestRegistry()
  await onAccess(alone, (store) => store.putGroup({ name: 'ops', description: '', autoJoin: false, admins: true }))
  const user = { name: 'bob', realm: 'ldap', admin: false, email: undefined, realmGroups: [] } as const
  await onAccess(alone, (store) => store.keepRealmUser(user))
  for (const [name, status] of [
    ['admin', 409],
    ['bob', 400],
  ] as const) {
    const before = await onAccess(alone, (store) => store.groupsOf(name))
    const admin = name === 'bob'
    assert.equal((await rest(alone.admin, 'POST', `security/users/${name}`, { admin, groups: ['ops'] })).status, status)
    assert.deepEqual(await onAccess(alone, (store) => store.groupsOf(name)), before)
  }
  assert.deepEqual(await recorded(alone.admin, 'access.changed'), [])
})

test('what another realm says of a user is not changed here; its groups here are', async () => {
  const user = { name: 'bob', realm: 'ldap', admin: false, email: 'bob@test', realmGroups: ['staff'] } as const
  await onAccess(registry, (store) => store.keepRealmUser(user))
  for (const fields of [{ password: 'long enough' }, { email: 'x@test' }, { admin: true }])
    for (const method of ['POST', 'PUT']) {
      const answer = await rest(admin, method, 'security/users/bob', fields)
      assert.equal(answer.status, 400, method)
      assert.match(answer.message, /^bob comes from ldap, which alone says its password/)
    }
  const { body } = await rest(admin, 'GET', 'security/users/bob')
  assert.deepEqual((body as { readonly groups: unknown }).groups, ['staff', 'users'])
  assert.equal((await rest(admin, 'PUT', 'security/users/bob', body as object)).status, 200)
  const kept = await onAccess(registry, (store) => store.groupsOf('bob'))
  assert.deepEqual(kept, ['users'], 'those of its realm are not kept twice')
})

test('users of the configuration file are told, and changed there alone', async () => {
  assert.deepEqual(await fieldsOf('root', 'email'), ['root@test'])
  for (const [method, fields] of [
    ['PUT', { password: 'long enough' }],
    ['POST', { admin: false }],
    ['DELETE', undefined],
  ] as const) {
    const answer = await rest(admin, method, 'security/users/root', fields)
    assert.equal(answer.status, 403)
    assert.match(answer.message, /^the user root is named in the configuration file/)
  }
})

test('a removed user cannot log in any more, nor be removed again', async () => {
  await rest(admin, 'PUT', 'security/users/leaver', { password: 'long enough' })
  const leaver = anonymous.as({ name: 'leaver', password: 'long enough' })
  assert.ok(await logsIn(leaver))
  const removed = await rest(admin, 'DELETE', 'security/users/leaver')
  assert.deepEqual([removed.status, removed.body], [200, "User 'leaver' has been removed successfully."])
  assert.ok(!(await logsIn(leaver)))
  assert.equal((await rest(admin, 'DELETE', 'security/users/leaver')).status, 404)
  assert.equal((await rest(admin, 'GET', 'security/users/leaver')).status, 404)
})

for (const [name, fields, message] of [
  ['new', {}, /^password: missing; with "internalPasswordDisabled": true it is a robot/],
  ['new', { password: 'short' }, /^the password has 5 characters: expected at least 8$/],
  ['new', { passwort: 'long enough' }, /^unknown field "passwort"; did you mean "password"\?$/],
  ['new', { password: 7 }, /^password: /],
  ['new', { password: 'long enough', internalPasswordDisabled: true }, /^expected a password, or /],
  ['new', { password: 'long enough', email: 'nobody' }, /^email: expected an address/],
  ['new', { password: 'long enough', realm: 'ldap' }, /^realm: expected internal/],
  ['new', { password: 'long enough', name: 'other' }, /^name: the path says new/],
  ['new', { password: 'long enough', groups: ['user'] }, /^there is no group user; did you mean "users"\?$/],
  ['new', { password: 'long enough', watchManager: true }, /^watchManager: expected false/],
  ['new', { password: 'long enough', profileUpdatable: false }, /^profileUpdatable: /],
  ['anonymous', { password: 'long enough' }, /^"anonymous" is not a (?:group|user) name: /],
  ['-x', { password: 'long enough' }, /^"-x" is not a user name: expected at most 64/],
  ['a'.repeat(65), { password: 'long enough' }, /is not a user name/],
  ['new', '{', /^expected a JSON object in UTF-8$/],
  ['new', '[]', /^expected a JSON object in UTF-8$/],
] as const)
  test(`${name.slice(0, 9)} with ${JSON.stringify(fields)} is refused with what is expected, and no user is made`, async () => {
    const answer = await rest(admin, 'PUT', `security/users/${name}`, fields)
    assert.equal(answer.status, 400)
    assert.match(answer.message, message)
    assert.equal((await rest(admin, 'GET', `security/users/${name}`)).status, 404)
  })

test('only JSON is read: what a page of another site can send is refused', async () => {
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', '']) {
    const answer = await admin.ask('PUT', '/artifactory/api/security/users/new', {
      headers: { 'content-type': type },
      body: JSON.stringify({ password: 'long enough' }),
    })
    assert.equal(answer.status, 400, type)
  }
  const ours = { 'content-type': 'application/vnd.org.jfrog.artifactory.security.User+json' }
  const body = JSON.stringify({ password: 'long enough' })
  assert.equal((await admin.ask('PUT', '/artifactory/api/security/users/new', { headers: ours, body })).status, 201)
})

test('every change is recorded with who made it, and none that was refused', async () => {
  await using fresh = await startTestRegistry()
  await rest(fresh.admin, 'PUT', 'security/users/alice', { password: 'long enough', email: 'alice@test' })
  await rest(fresh.admin, 'POST', 'security/users/alice', { admin: true })
  await rest(fresh.anonymous.as({ name: 'alice', password: 'long enough' }), 'POST', 'security/users/alice', {
    password: 'another one',
  })
  await rest(fresh.admin, 'POST', 'security/users/alice', { password: 'short' })
  await rest(fresh.admin, 'DELETE', 'security/users/alice')
  assert.deepEqual(await recorded(fresh.admin, 'access.changed'), [
    'admin created user alice',
    'admin changed user alice',
    'alice changed user alice',
    'admin deleted user alice',
  ])
  const { body } = await rest(fresh.admin, 'GET', 'security/audit?type=access.changed&limit=3')
  const text = JSON.stringify(body)
  assert.ok(!text.includes('long enough') && !text.includes('another one'))
  assert.match(text, /"reason":"admin"/)
  assert.match(text, /"requestId":"/)
})

async function fieldsOf(name: string, ...fields: readonly string[]): Promise<readonly unknown[]> {
  const { body } = await rest(admin, 'GET', `security/users/${name}`)
  return fields.map((field) => (body as Readonly<Record<string, unknown>>)[field])
}
