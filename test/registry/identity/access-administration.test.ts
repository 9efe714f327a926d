import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { GroupRecord } from '../../../registry/storage/access-store.ts'
import { openSqliteMetadata } from '../../../registry/storage/sqlite-metadata.ts'
import { identityOn } from '../../helpers/identity.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { target, userNamed } from '../../helpers/users.ts'

const group = (name: string, rest: Partial<GroupRecord> = {}): GroupRecord => ({
  name,
  description: '',
  autoJoin: false,
  admins: false,
  ...rest,
})

async function opened(declared: Parameters<typeof identityOn>[1] = {}) {
  const directory = await temporaryDirectory()
  const store = await openSqliteMetadata(join(directory.path, 'caisson.db'))
  const close = async () => {
    await store[Symbol.asyncDispose]()
    await directory[Symbol.asyncDispose]()
  }
  return { store, ...identityOn(store, declared).administration, [Symbol.asyncDispose]: close }
}

test('new users, of whichever realm, join the groups of the file that new users join', async () => {
  await using access = await opened({ groups: [group('everybody', { autoJoin: true }), group('devs')] })
  await access.addUser(userNamed('alice'), ['devs'])
  await access.keepRealmUser({ name: 'bob', realm: 'ldap', admin: false, email: undefined, realmGroups: [] })
  assert.deepEqual(await access.groupsOf('alice'), ['devs', 'everybody'])
  assert.deepEqual(await access.groupsOf('bob'), ['everybody'])
})

test('nobody is put into a group that there is not: whoever makes it later would not know', async () => {
  await using access = await opened({ groups: [group('devs')] })
  const refused = { code: 'BAD_REQUEST', message: 'there is no group dev; did you mean "devs"?' }
  await assert.rejects(access.addUser(userNamed('alice'), ['dev']), refused)
  assert.equal(await access.findUser('alice'), undefined)
  await access.addUser(userNamed('alice'))
  await assert.rejects(access.setGroupsOf('alice', ['devs', 'dev']), refused)
  await assert.rejects(access.addMember('dev', 'alice'), refused)
  await assert.rejects(access.changeUser('alice', { email: 'alice@test', groups: ['devs', 'dev'] }), refused)
  assert.deepEqual(await access.findUser('alice'), userNamed('alice'))
  assert.deepEqual(await access.groupsOf('alice'), [])
})

test('what another realm says of a user is changed there alone; its groups here are not that', async () => {
  await using access = await opened()
  await access.keepRealmUser({ name: 'bob', realm: 'ldap', admin: false, email: undefined, realmGroups: [] })
  for (const change of [{ admin: true }, { passwordHash: 'x' }, { email: 'bob@test' }, { kind: 'robot' }] as const)
    await assert.rejects(access.changeUser('bob', change), { code: 'BAD_REQUEST', message: /^bob comes from ldap/ })
  assert.equal(await access.changeUser('bob', {}), 'done')
  await access.putGroup(group('devs'))
  await assert.rejects(access.changeUser('bob', { admin: true, groups: ['devs'] }), { code: 'BAD_REQUEST' })
  assert.deepEqual(await access.groupsOf('bob'), [])
  assert.equal(await access.changeUser('bob', { groups: ['devs'] }), 'done')
  assert.deepEqual(await access.groupsOf('bob'), ['devs'])
})

test('a robot is given no password unless it becomes a user by that', async () => {
  await using access = await opened()
  await access.addUser(userNamed('ci', { kind: 'robot', passwordHash: undefined }))
  await assert.rejects(access.changeUser('ci', { passwordHash: 'x' }), { code: 'BAD_REQUEST', message: /is a robot/ })
  assert.equal(await access.changeUser('ci', { passwordHash: 'x', kind: 'user' }), 'done')
  assert.deepEqual(await access.findUser('ci'), userNamed('ci', { passwordHash: 'x' }))
})

test('a group that every new user joins is none of admins', async () => {
  await using access = await opened()
  const both = group('all', { autoJoin: true, admins: true })
  await assert.rejects(access.putGroup(both), { code: 'BAD_REQUEST', message: /every new user would be an admin/ })
})

test('users of the file are members of what the file says, and are put into no other group', async () => {
  await using access = await opened({ users: [{ record: userNamed('root'), groups: ['ops'] }] })
  await access.putGroup(group('ops'), ['root', 'alice'])
  assert.deepEqual(await access.membersOf('ops'), ['alice', 'root'])
  assert.deepEqual(await access.store.membersOf('ops'), ['alice'])
  await assert.rejects(access.putGroup(group('devs'), ['root']), { code: 'DENIED', message: /^the user root is named/ })
  await assert.rejects(access.setGroupsOf('root', []), { code: 'DENIED' })
  await assert.rejects(access.addMember('ops', 'root'), { code: 'DENIED' })
  await assert.rejects(access.removeMember('ops', 'root'), { code: 'DENIED' })
})

test('nothing that the file names is changed, whatever it is', async () => {
  await using access = await opened({
    users: [{ record: userNamed('root'), groups: [] }],
    groups: [group('ops')],
    targets: [target('A', {})],
  })
  const named = (what: string) => ({
    code: 'DENIED',
    message: new RegExp(`^the ${what} is named in the configuration`),
  })
  assert.equal(await access.addUser(userNamed('root')), false)
  await assert.rejects(access.changeUser('root', { admin: true }), named('user root'))
  await assert.rejects(access.removeUser('root'), named('user root'))
  await assert.rejects(access.putGroup(group('ops')), named('group ops'))
  await assert.rejects(access.removeGroup('ops'), named('group ops'))
  await assert.rejects(access.putTarget(target('A', {})), named('permission target A'))
  await assert.rejects(access.putGrants('A', target('A', {})), named('permission target A'))
  await assert.rejects(access.removeTarget('A'), named('permission target A'))
})
