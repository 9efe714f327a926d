import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startTestRegistry } from '../../../helpers/registry.ts'
import { recorded, rest } from '../../../helpers/rest.ts'
import { addUser, onAccess, target } from '../../../helpers/users.ts'

const registry = await startTestRegistry({
  groups: { ops: { description: 'who carries the pager', admins: true } },
  users: { root: { robot: true, groups: ['ops'] } },
  permissions: {},
})
after(() => registry[Symbol.asyncDispose]())
const { admin, anonymous } = registry
const alice = anonymous.as(await addUser(registry, 'alice'))
await addUser(registry, 'bob')

const group = async (name: string) => (await rest(admin, 'GET', `security/groups/${name}?includeUsers=true`)).body

test('a group is made, told with its members when that is asked for, and replaced', async () => {
  const fields = { description: 'develop', autoJoin: true, userNames: ['bob', 'alice'] }
  assert.equal((await rest(admin, 'PUT', 'security/groups/devs', fields)).status, 201)
  const told = { name: 'devs', description: 'develop', autoJoin: true, adminPrivileges: false, realm: 'internal' }
  assert.deepEqual((await rest(admin, 'GET', 'security/groups/devs')).body, told)
  assert.deepEqual(await group('devs'), { ...told, userNames: ['alice', 'bob'] })
  assert.equal((await rest(admin, 'PUT', 'security/groups/devs', (await group('devs')) as object)).status, 200)
  assert.deepEqual(await group('devs'), { ...told, userNames: ['alice', 'bob'] })
  assert.equal((await rest(admin, 'PUT', 'security/groups/devs', {})).status, 200)
  assert.deepEqual(await group('devs'), { ...told, description: '', autoJoin: false, userNames: ['alice', 'bob'] })
})

test('an update changes what it names, and makes no group', async () => {
  assert.equal((await rest(admin, 'POST', 'security/groups/devs', { description: 'x' })).status, 200)
  assert.equal((await rest(admin, 'POST', 'security/groups/devs', { userNames: ['alice'] })).status, 200)
  const { description, userNames } = (await group('devs')) as Readonly<Record<string, unknown>>
  assert.deepEqual([description, userNames], ['x', ['alice']])
  assert.equal((await rest(admin, 'POST', 'security/groups/dev', { description: 'x' })).status, 404)
  assert.equal((await rest(admin, 'GET', 'security/groups/dev')).status, 404)
})

test('members of a group of admins may do everything, until they are members no more', async () => {
  assert.equal((await rest(alice, 'GET', 'security/users')).status, 403)
  await rest(admin, 'PUT', 'security/groups/chiefs', { adminPrivileges: true, userNames: ['alice'] })
  assert.equal((await rest(alice, 'GET', 'security/users')).status, 200)
  await rest(admin, 'POST', 'security/users/alice', { groups: ['devs'] })
  assert.equal((await rest(alice, 'GET', 'security/users')).status, 403)
})

test('a removed group leaves nothing to the next of its name', async () => {
  await rest(admin, 'PUT', 'security/groups/temps', { userNames: ['alice'] })
  await onAccess(registry, (store) => store.putTarget(target('T', { groups: { temps: ['read'] } })))
  const removed = await rest(admin, 'DELETE', 'security/groups/temps')
  assert.deepEqual([removed.status, removed.body], [200, "Group 'temps' has been removed successfully."])
  assert.equal((await rest(admin, 'DELETE', 'security/groups/temps')).status, 404)
  await rest(admin, 'PUT', 'security/groups/temps', {})
  assert.deepEqual(((await group('temps')) as { readonly userNames: unknown }).userNames, [])
  const { body } = await rest(admin, 'GET', 'security/permissions/T')
  assert.deepEqual((body as { readonly principals: unknown }).principals, { users: {}, groups: {} })
})

test('groups are listed with where each is told of', async () => {
  const { body } = await rest(admin, 'GET', 'security/groups')
  const uri = 'http://registry.test/artifactory/api/security/groups/ops'
  assert.deepEqual((body as { readonly name: string }[])[2], { name: 'ops', uri })
})

test('groups of the configuration file are told, and changed there alone; so are its users', async () => {
  assert.deepEqual(await group('ops'), {
    name: 'ops',
    description: 'who carries the pager',
    autoJoin: false,
    adminPrivileges: true,
    realm: 'internal',
    userNames: ['root'],
  })
  for (const [method, fields] of [
    ['PUT', {}],
    ['POST', { userNames: ['alice'] }],
    ['DELETE', undefined],
  ] as const) {
    const answer = await rest(admin, method, 'security/groups/ops', fields)
    assert.equal(answer.status, 403, method)
    assert.match(answer.message, /^the group ops is named in the configuration file/)
  }
  const joined = await rest(admin, 'POST', 'security/groups/devs', { userNames: ['root'] })
  assert.match(joined.message, /^the user root is named in the configuration file/)
})

test('it is for admins', async () => {
  for (const [method, path] of [
    ['GET', 'security/groups'],
    ['GET', 'security/groups/devs'],
    ['PUT', 'security/groups/devs'],
    ['POST', 'security/groups/devs'],
    ['DELETE', 'security/groups/devs'],
  ] as const) {
    assert.equal((await rest(anonymous, method, path, {})).status, 401, `${method} ${path}`)
    assert.equal((await rest(alice, method, path, {})).status, 403, `${method} ${path}`)
  }
})

for (const [name, fields, message] of [
  ['new', { adminPrivileges: true, autoJoin: true }, /^every new user would be an admin/],
  ['new', { autojoin: true }, /^unknown field "autojoin"; did you mean "autoJoin"\?$/],
  ['new', { userNames: ['-x'] }, /^userNames\.0: expected the name of a user$/],
  ['new', { userNames: ['anonymous'] }, /^userNames\.0: expected the name of a user$/],
  ['new', { realm: 'ldap' }, /^realm: expected internal$/],
  ['new', { realmAttributes: 'cn=x' }, /^realmAttributes: expected nothing/],
  ['anonymous', {}, /^"anonymous" is not a (?:group|user) name: /],
] as const)
  test(`${name} with ${JSON.stringify(fields)} is refused with what is expected`, async () => {
    const answer = await rest(admin, 'PUT', `security/groups/${name}`, fields)
    assert.equal(answer.status, 400)
    assert.match(answer.message, message)
    assert.equal((await rest(admin, 'GET', `security/groups/${name}`)).status, 404)
  })

test('every change is recorded', async () => {
  await using fresh = await startTestRegistry()
  await rest(fresh.admin, 'PUT', 'security/groups/devs', {})
  await rest(fresh.admin, 'PUT', 'security/groups/devs', { description: 'x' })
  await rest(fresh.admin, 'POST', 'security/groups/devs', { userNames: [] })
  await rest(fresh.admin, 'DELETE', 'security/groups/devs')
  await rest(fresh.admin, 'DELETE', 'security/groups/devs')
  assert.deepEqual(await recorded(fresh.admin, 'access.changed'), [
    'admin created group devs',
    'admin changed group devs',
    'admin changed group devs',
    'admin deleted group devs',
  ])
})
