import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { RegistryError } from '../../../registry/domain/errors.ts'
import { isRepositoryKey, parseImageName } from '../../../registry/domain/names.ts'
import { anonymous } from '../../../registry/domain/permissions.ts'
import type { SourceUser, UserSource } from '../../../registry/identity/user-source.ts'
import type { GroupRecord, UserRecord } from '../../../registry/storage/access-store.ts'
import type { MetadataStore } from '../../../registry/storage/metadata-store.ts'
import { openSqliteMetadata } from '../../../registry/storage/sqlite-metadata.ts'
import { identityOn } from '../../helpers/identity.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { target, userNamed } from '../../helpers/users.ts'

const minute = 60_000
const directory = await temporaryDirectory()
after(() => directory[Symbol.asyncDispose]())
const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())
let stores = 0
let store: MetadataStore
let other: MetadataStore
let nowMs = 0

beforeEach(async () => {
  nowMs = Date.parse('2026-01-01T00:00:00Z')
  const path = `${directory.path}/${(stores += 1)}.db`
  store = opened.use(await openSqliteMetadata(path))
  other = opened.use(await openSqliteMetadata(path))
})

const group = (name: string, rest: Partial<GroupRecord> = {}): GroupRecord => ({
  name,
  description: '',
  autoJoin: false,
  admins: false,
  ...rest,
})
const openDirectory = (sources: readonly UserSource[] = []) => identityOn(store, {}, sources, () => nowMs).directory
const nextRequest = () => new Promise((resolve) => setImmediate(resolve))

/** A realm that the test changes, which counts how often it is asked. */
class Realm implements UserSource {
  readonly realm = 'ldap'
  asked = 0
  user: SourceUser | undefined = { name: 'carol', email: undefined, groups: ['staff'], admin: false }
  failure: Error | undefined

  async checkPassword(): Promise<undefined> {
    return undefined
  }

  async findUser(): Promise<SourceUser | undefined> {
    this.asked += 1
    if (this.failure) throw this.failure
    return this.user
  }
}

async function keepCarol(realm: 'ldap' | 'htpasswd' | 'oidc:company' = 'ldap'): Promise<void> {
  await store.keepRealmUser({ name: 'carol', realm, admin: false, email: undefined, realmGroups: ['kept'] })
}

test('a user is one object until something changes, and another process that changes it counts at the next request', async () => {
  const directory = openDirectory()
  await store.addUser(userNamed('alice'), ['devs'])
  const first = await directory.find('alice')
  assert.deepEqual(first?.principal, { kind: 'user', name: 'alice', admin: false, groups: ['devs'] })
  await nextRequest()
  assert.equal(await directory.find('alice'), first)
  for (const change of [
    () => other.setGroupsOf('alice', ['ops']),
    () => other.changeUser('alice', { admin: true }),
    () => other.putGroup(group('ops')),
  ]) {
    const before = await directory.find('alice')
    await change()
    await nextRequest()
    assert.notEqual(await directory.find('alice'), before)
  }
  assert.deepEqual((await directory.find('alice'))?.principal, {
    kind: 'user',
    name: 'alice',
    admin: true,
    groups: ['ops'],
  })
  await other.changeUser('alice', { admin: false })
  await other.removeUser('alice')
  await nextRequest()
  assert.equal((await directory.find('alice'))?.principal.admin, true, 'the last admin stays')
})

test('a member of a group of admins is one, while the group is', async () => {
  const directory = openDirectory()
  await store.addUser(userNamed('alice'), ['bosses'])
  assert.equal((await directory.find('alice'))?.principal.admin, false)
  await other.putGroup(group('bosses', { admins: true }))
  await nextRequest()
  assert.equal((await directory.find('alice'))?.principal.admin, true)
  await other.removeGroup('bosses')
  await nextRequest()
  assert.deepEqual((await directory.find('alice'))?.principal, {
    kind: 'user',
    name: 'alice',
    admin: false,
    groups: [],
  })
})

test('a changed permission target counts at the next request', async () => {
  const directory = openDirectory()
  const key = 'docker-local'
  assert.ok(isRepositoryKey(key))
  const reads = async () => (await directory.rules()).tagsOf(anonymous, 'read', key, parseImageName('app')).extent
  assert.equal(await reads(), 'none')
  await other.putTarget(target('all', { users: { anonymous: ['read'] } }))
  await nextRequest()
  assert.equal(await reads(), 'all')
  const rules = await directory.rules()
  await nextRequest()
  assert.equal(await directory.rules(), rules)
  await other.removeTarget('all')
  await nextRequest()
  assert.equal(await reads(), 'none')
})

test('who is not there is looked for again each time', async () => {
  const directory = openDirectory()
  assert.equal(await directory.find('alice'), undefined)
  assert.equal(await directory.findToken('abc'), undefined)
  await store.addUser(userNamed('alice'))
  await nextRequest()
  assert.ok(await directory.find('alice'))
})

test('a realm is asked for its user once a minute, and what it says of groups and rights counts', async () => {
  const realm = new Realm()
  const directory = openDirectory([realm])
  await keepCarol()
  await store.setGroupsOf('carol', ['ours'])
  const groups = async () => (await directory.find('carol'))?.principal.groups.toSorted()
  assert.deepEqual(await groups(), ['ours', 'staff'])
  // What it said was new: so is the version of everything.
  await nextRequest()
  await groups()
  const before = realm.asked
  for (let count = 0; count < 20; count += 1) await groups()
  nowMs += minute - 1
  await groups()
  assert.equal(realm.asked, before)
  realm.user = { name: 'carol', email: 'c@example.com', groups: [], admin: true }
  nowMs += 1
  assert.deepEqual((await directory.find('carol'))?.principal, {
    kind: 'user',
    name: 'carol',
    admin: true,
    groups: ['ours'],
  })
  assert.equal(realm.asked, before + 1)
})

test('a user who is gone from its realm is nobody, and somebody again when back', async () => {
  const realm = new Realm()
  const directory = openDirectory([realm])
  await keepCarol()
  assert.ok(await directory.find('carol'))
  const { user } = realm
  realm.user = undefined
  nowMs += minute
  for (const _ of [1, 2]) assert.equal(await directory.find('carol'), undefined)
  realm.user = user
  assert.ok(await directory.find('carol'))
})

test('a realm that cannot be asked keeps its users as they were last seen', async () => {
  const realm = new Realm()
  const directory = openDirectory([realm])
  await keepCarol()
  realm.failure = new RegistryError('UNAVAILABLE')
  assert.deepEqual((await directory.find('carol'))?.principal.groups, ['kept'])
  nowMs += minute
  realm.failure = undefined
  assert.deepEqual((await directory.find('carol'))?.principal.groups, ['staff'])
  nowMs += minute
  realm.failure = new Error('a bug')
  await assert.rejects(directory.find('carol'), { message: 'a bug' })
})

test('a realm that is not configured any more has no users, but one that is asked at each login has', async () => {
  const directory = openDirectory([new Realm()])
  await keepCarol('htpasswd')
  assert.equal(await directory.find('carol'), undefined)
  await store.removeUser('carol')
  await keepCarol('oidc:company')
  await nextRequest()
  assert.deepEqual((await directory.find('carol'))?.principal.groups, ['kept'])
  const unconfigured = identityOn({ ...store, findUser: async (name) => userNamed(name, { realm: 'oidc:gone' }) })
  assert.equal(await unconfigured.directory.find('dora'), undefined)
})

test('a realm does not change a user of the same name who comes from elsewhere', async () => {
  const realm = new Realm()
  realm.user = { name: 'alice', email: undefined, groups: ['admins'], admin: true }
  const directory = openDirectory([realm])
  await store.addUser(userNamed('alice'))
  assert.deepEqual((await directory.find('alice'))?.principal, {
    kind: 'user',
    name: 'alice',
    admin: false,
    groups: [],
  })
  assert.equal(realm.asked, 0)
})

test('the stamp of a password is another one for another password, another realm and a robot, and the same after a restart', async () => {
  const stampOf = async (rest: Partial<UserRecord>, realm?: Realm) => {
    const record = userNamed('carol', rest)
    const { directory } = identityOn({ ...store, findUser: async () => record }, {}, realm ? [realm] : [])
    return (await directory.find('carol'))?.passwordStamp
  }
  const told = new Realm()
  told.user = { name: 'carol', email: undefined, groups: [], admin: false, passwordStamp: 'of the file' }
  await keepCarol()
  const all: readonly (readonly [Partial<UserRecord>, Realm?])[] = [
    [{ passwordHash: 'one' }],
    [{ passwordHash: 'another' }],
    [{ passwordHash: undefined }],
    [{ passwordHash: undefined, kind: 'robot' }],
    [{ passwordHash: undefined, realm: 'oidc:company' }],
    [{ passwordHash: undefined, realm: 'ldap' }, new Realm()],
    [{ passwordHash: undefined, realm: 'ldap' }, told],
  ]
  const stamps = await Promise.all(all.map((each) => stampOf(...each)))
  assert.ok(!stamps.includes(undefined))
  assert.equal(new Set(stamps).size, all.length)
  assert.deepEqual(await Promise.all(all.map((each) => stampOf(...each))), stamps)
})
