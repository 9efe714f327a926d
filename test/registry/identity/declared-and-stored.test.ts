import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import type { AccessAdministration } from '../../../registry/identity/access-administration.ts'
import { ensureDefaultPermissions } from '../../../registry/identity/default-permissions.ts'
import type { DeclaredUser } from '../../../registry/identity/declared-access.ts'
import type { GroupRecord } from '../../../registry/storage/access-store.ts'
import type { MetadataStore } from '../../../registry/storage/metadata-store.ts'
import { openSqliteMetadata } from '../../../registry/storage/sqlite-metadata.ts'
import pino from 'pino'
import { identityOn } from '../../helpers/identity.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { target, userNamed } from '../../helpers/users.ts'

const directory = await temporaryDirectory()
after(() => directory[Symbol.asyncDispose]())
const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())
let stores = 0
let store: MetadataStore

beforeEach(async () => {
  store = opened.use(await openSqliteMetadata(`${directory.path}/${(stores += 1)}.db`))
})

const group = (name: string, rest: Partial<GroupRecord> = {}): GroupRecord => ({
  name,
  description: '',
  autoJoin: false,
  admins: false,
  ...rest,
})
const log = pino({ enabled: false })
const user = (name: string, groups?: readonly string[]): DeclaredUser => ({ record: userNamed(name), groups })
const administrationOf = (declared: Parameters<typeof identityOn>[1]): AccessAdministration =>
  identityOn(store, declared).administration

test('what the file names hides what the store has under the same name', async () => {
  await store.addUser(userNamed('alice', { email: 'kept' }))
  await store.putGroup(group('devs', { description: 'kept' }))
  await store.putTarget(target('all', { users: { kept: ['read'] } }))
  const administration = administrationOf({
    users: [user('alice')],
    groups: [group('devs')],
    targets: [target('all', {})],
  })
  assert.equal((await administration.findUser('alice'))?.email, undefined)
  assert.equal((await administration.findGroup('devs'))?.description, '')
  assert.deepEqual((await administration.findTarget('all'))?.users, {})
  assert.deepEqual(
    (await administration.listUsers()).map(({ name, email }) => [name, email]),
    [['alice', undefined]],
  )
  assert.deepEqual(
    (await administration.listGroups()).map(({ description }) => description),
    [''],
  )
  assert.deepEqual(
    (await administration.listTargets()).map(({ users }) => users),
    [{}],
  )
})

test('both are listed together, in byte order', async () => {
  for (const name of ['a', 'c', 'B']) await store.addUser(userNamed(name))
  const administration = administrationOf({ users: [user('b'), user('A')] })
  assert.deepEqual(
    (await administration.listUsers()).map(({ name }) => name),
    ['A', 'B', 'a', 'b', 'c'],
  )
})

test('what the file names is changed by nothing but the file, and the message says where', async () => {
  const administration = administrationOf({
    users: [user('alice')],
    groups: [group('devs')],
    targets: [target('all', {})],
  })
  for (const [change, where] of [
    [() => administration.changeUser('alice', { admin: true }), 'registry.users'],
    [() => administration.removeUser('alice'), 'registry.users'],
    [() => administration.setGroupsOf('alice', ['ops']), 'registry.users'],
    [() => administration.putGroup(group('devs'), ['bob']), 'registry.groups'],
    [() => administration.removeGroup('devs'), 'registry.groups'],
    [() => administration.putTarget(target('all', {})), 'registry.permissions'],
    [() => administration.removeTarget('all'), 'registry.permissions'],
  ] as const)
    await assert.rejects(change(), (error: Error & { readonly code?: string }) => {
      assert.equal(error.code, 'DENIED')
      assert.ok(error.message.endsWith(`below ${where}`), error.message)
      return true
    })
  assert.equal(await administration.addUser(userNamed('alice')), false)
  assert.equal(await store.findUser('alice'), undefined)
})

test('a name of the file is not taken over by a user from elsewhere', async () => {
  const administration = administrationOf({ users: [user('alice')] })
  const realmUser = { name: 'alice', realm: 'ldap', admin: true, email: undefined, realmGroups: ['admins'] } as const
  assert.equal(await administration.keepRealmUser(realmUser), false)
  assert.equal(await administration.keepRealmUser({ ...realmUser, name: 'carol' }), true)
  assert.equal(await store.findUser('alice'), undefined)
})

test('a declared user is in the groups that the file says, or in those that new users join', async () => {
  await store.putGroup(group('joined-here', { autoJoin: true }))
  await store.putGroup(group('other'))
  const administration = administrationOf({
    users: [user('alice', ['devs']), user('nobody', []), user('bob')],
    groups: [group('joined-there', { autoJoin: true })],
  })
  assert.deepEqual(await administration.groupsOf('alice'), ['devs'])
  assert.deepEqual(await administration.groupsOf('nobody'), [])
  assert.deepEqual(await administration.groupsOf('bob'), ['joined-here', 'joined-there'])
  assert.deepEqual(await administration.membersOf('devs'), ['alice'])
  assert.deepEqual(await administration.membersOf('joined-there'), ['bob'])
})

test('the first start lets everybody read and users push, once', async () => {
  const administration = administrationOf({})
  await ensureDefaultPermissions(administration, store, log)
  const [remote, made] = await administration.listTargets()
  assert.deepEqual(remote, {
    name: 'Any Remote',
    repositories: ['ANY REMOTE'],
    includes: ['**'],
    excludes: [],
    users: { anonymous: ['read', 'deploy'] },
    groups: {},
  })
  assert.deepEqual(made, {
    name: 'Anything',
    repositories: ['ANY'],
    includes: ['**'],
    excludes: [],
    users: { anonymous: ['read'] },
    groups: { users: ['read', 'annotate', 'deploy', 'delete'] },
  })
  await administration.addUser(userNamed('alice'))
  assert.deepEqual(await administration.groupsOf('alice'), ['users'])

  for (const name of ['Anything', 'Any Remote']) await administration.removeTarget(name)
  await administration.removeGroup('users')
  await ensureDefaultPermissions(administration, store, log)
  assert.deepEqual(await administration.listTargets(), [])
  assert.deepEqual(await administration.listGroups(), [])
})

test('with permissions in the file nothing is let, now and when they are taken out again', async () => {
  await ensureDefaultPermissions(administrationOf({ targets: [target('mine', {})] }), store, log)
  await ensureDefaultPermissions(administrationOf({}), store, log)
  assert.deepEqual(await store.listTargets(), [])
  assert.deepEqual(await store.listGroups(), [])
})

test('a group called users in the file stays what it is there', async () => {
  const administration = administrationOf({ groups: [group('users', { description: 'mine' })] })
  await ensureDefaultPermissions(administration, store, log)
  assert.equal((await administration.findGroup('users'))?.autoJoin, false)
  assert.deepEqual(await store.listGroups(), [])
  assert.equal((await administration.listTargets()).length, 2)
})

test('a registry of before, whose first permissions were restricted, lets nobody fetch more', async () => {
  await store.secret('default-permissions', async () => 'made')
  await ensureDefaultPermissions(administrationOf({}), store, log)
  assert.deepEqual(await store.listTargets(), [])
})

test('permissions that come into the file take the place of those of the first start, unless somebody has changed these', async () => {
  await ensureDefaultPermissions(administrationOf({}), store, log)
  const [made] = await store.listTargets()
  assert.ok(made)
  await ensureDefaultPermissions(administrationOf({ targets: [target('mine', {})] }), store, log)
  assert.deepEqual(await store.listTargets(), [])

  const changed = { ...made, users: {} }
  await store.putTarget(changed)
  await ensureDefaultPermissions(administrationOf({ targets: [target('mine', {})] }), store, log)
  assert.deepEqual(await store.listTargets(), [changed])
})

test('what the store has of a user hides nothing of one of that name in the file: memberships neither', async () => {
  await store.addUser(userNamed('alice'), ['admins'])
  const administration = administrationOf({ users: [user('alice', ['devs'])] })
  assert.deepEqual(await administration.groupsOf('alice'), ['devs'])
  assert.deepEqual(await administration.membersOf('admins'), [])
})
