import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Grants, PermissionTarget } from '../../registry/domain/permission-target.ts'
import type { AccessStore, GroupRecord, TokenKind, TokenRecord } from '../../registry/storage/access-store.ts'
import { target, userNamed } from '../helpers/users.ts'

export interface AccessStoreFixture extends AsyncDisposable {
  /** A store on the same data, as a restart, or another process beside, would open it. */
  open(): Promise<AccessStore & AsyncDisposable>
}

/** What every store of users, groups, permission targets, tokens and keys does. */
export function accessStoreContract(setUp: () => Promise<AccessStoreFixture>): void {
  const contract = (name: string, body: (store: AccessStore, fixture: AccessStoreFixture) => Promise<void>): void => {
    test(name, async () => {
      await using fixture = await setUp()
      await using store = await fixture.open()
      await body(store, fixture)
    })
  }

  contract('a user is added once, found as it was added, and listed in byte order', async (store) => {
    const alice = userNamed('alice', {
      kind: 'robot',
      passwordHash: undefined,
      admin: true,
      email: 'alice@test',
      lastLogin: at(1),
    })
    assert.equal(await store.addUser(alice), true)
    assert.equal(await store.addUser(userNamed('alice')), false)
    await store.addUser(userNamed('Zoe'))
    await store.addUser(userNamed('constructor'))
    assert.deepEqual(await store.findUser('alice'), alice)
    assert.equal(await store.findUser('Alice'), undefined)
    assert.deepEqual(names(await store.listUsers()), ['Zoe', 'alice', 'constructor'])
  })

  contract('a change of a user changes what it names, to nothing too, and leaves the rest', async (store) => {
    await store.addUser(userNamed('alice', { email: 'alice@test' }))
    assert.equal(await store.changeUser('alice', { admin: true }), 'done')
    assert.deepEqual(await store.findUser('alice'), userNamed('alice', { email: 'alice@test', admin: true }))
    await store.addUser(userNamed('bob', { admin: true }))
    await store.changeUser('alice', { email: undefined, kind: 'robot', passwordHash: undefined })
    const changed = userNamed('alice', { admin: true, kind: 'robot', passwordHash: undefined })
    assert.deepEqual(await store.findUser('alice'), changed)
    await store.changeUser('alice', {})
    assert.deepEqual(await store.findUser('alice'), changed)
    assert.equal(await store.changeUser('nobody', { admin: true }), 'unknown')
  })

  contract('a login is recorded, of a user that there is', async (store) => {
    await store.addUser(userNamed('alice'))
    await store.recordLogin('alice', at(7))
    await store.recordLogin('nobody', at(7))
    assert.deepEqual(await store.findUser('alice'), userNamed('alice', { lastLogin: at(7) }))
    assert.deepEqual(names(await store.listUsers()), ['alice'])
  })

  contract('the last admin can be neither removed, nor made none, nor locked out', async (store) => {
    await store.addUser(userNamed('alice', { admin: true }))
    await store.addUser(userNamed('bob'))
    assert.equal(await store.removeUser('alice'), 'last admin')
    assert.equal(await store.changeUser('alice', { admin: false, email: 'new@test' }), 'last admin')
    assert.equal(await store.changeUser('alice', { passwordHash: undefined }), 'last admin')
    assert.deepEqual(await store.findUser('alice'), userNamed('alice', { admin: true }))
    assert.equal(await store.changeUser('alice', { passwordHash: 'another' }), 'done')
    await store.changeUser('bob', { admin: true })
    assert.equal(await store.removeUser('alice'), 'done')
    assert.equal(await store.removeUser('bob'), 'last admin')
  })

  contract('of two processes that each remove one of two admins, one is refused', async (store, fixture) => {
    await using other = await fixture.open()
    await store.addUser(userNamed('alice', { admin: true }))
    await store.addUser(userNamed('bob', { admin: true }))
    const outcomes = await Promise.all([store.removeUser('alice'), other.removeUser('bob')])
    assert.deepEqual(outcomes.sort(), ['done', 'last admin'])
  })

  contract('a user of another realm is added, and taken over as that realm says it is now', async (store) => {
    const user = { name: 'alice', realm: 'ldap', admin: false, email: undefined, realmGroups: ['staff'] } as const
    assert.equal(await store.keepRealmUser(user), true)
    const kept = userNamed('alice', { realm: 'ldap', passwordHash: undefined, realmGroups: ['staff'] })
    assert.deepEqual(await store.findUser('alice'), kept)
    await store.recordLogin('alice', at(1))
    const before = await store.accessVersion()
    assert.equal(await store.keepRealmUser(user), true)
    assert.equal(await store.accessVersion(), before, 'nothing has changed')
    const now = { ...user, admin: true, email: 'alice@test', realmGroups: [] }
    assert.equal(await store.keepRealmUser(now), true)
    assert.deepEqual(await store.findUser('alice'), { ...kept, ...now, lastLogin: at(1) })
    assert.notEqual(await store.accessVersion(), before)
  })

  contract('a realm does not get a user of another one', async (store) => {
    await store.addUser(userNamed('alice'))
    const claim = { name: 'alice', realm: 'oidc:company', admin: true, email: undefined, realmGroups: [] } as const
    assert.equal(await store.keepRealmUser(claim), false)
    assert.deepEqual(await store.findUser('alice'), userNamed('alice'))
  })

  contract('a new user, of whichever realm, joins the groups that new users join, and those named', async (store) => {
    await store.putGroup(group('everybody', { autoJoin: true }))
    await store.putGroup(group('devs'))
    await store.putGroup(group('others'))
    await store.addUser(userNamed('alice'), ['devs'])
    await store.keepRealmUser({ name: 'bob', realm: 'ldap', admin: false, email: undefined, realmGroups: [] }, ['devs'])
    for (const user of ['alice', 'bob']) assert.deepEqual(await store.groupsOf(user), ['devs', 'everybody'])
    await store.setGroupsOf('bob', ['others'])
    await store.keepRealmUser({ name: 'bob', realm: 'ldap', admin: true, email: undefined, realmGroups: [] }, ['devs'])
    assert.deepEqual(await store.groupsOf('bob'), ['others'], 'it is new no longer')
  })

  contract('a group is made and replaced, and its members stay unless they are named', async (store) => {
    const devs = group('devs', { description: 'develop', autoJoin: true })
    assert.equal(await store.putGroup(devs, ['bob', 'alice', 'bob']), true)
    assert.deepEqual(await store.findGroup('devs'), devs)
    assert.deepEqual(await store.membersOf('devs'), ['alice', 'bob'])
    assert.equal(await store.putGroup(group('devs', { admins: true })), false)
    assert.deepEqual(await store.findGroup('devs'), group('devs', { admins: true }))
    assert.deepEqual(await store.membersOf('devs'), ['alice', 'bob'])
    await store.putGroup(group('devs'), ['carol'])
    assert.deepEqual(await store.membersOf('devs'), ['carol'])
    await store.putGroup(group('a'))
    assert.deepEqual(names(await store.listGroups()), ['a', 'devs'])
    assert.equal(await store.findGroup('Devs'), undefined)
  })

  contract('groups of a user are set as a whole', async (store) => {
    for (const name of ['a', 'b', 'c']) await store.putGroup(group(name))
    await store.setGroupsOf('alice', ['b', 'a', 'b'])
    assert.deepEqual(await store.groupsOf('alice'), ['a', 'b'])
    await store.setGroupsOf('alice', ['c'])
    assert.deepEqual(await store.groupsOf('alice'), ['c'])
    assert.deepEqual(await store.membersOf('a'), [])
    assert.deepEqual(await store.groupsOf('bob'), [])
  })

  contract('a user joins and leaves one group, whoever changes the others at once', async (store, fixture) => {
    await using other = await fixture.open()
    for (const name of ['a', 'b', 'c']) await store.putGroup(group(name))
    const both = await Promise.all([store.addMember('a', 'alice'), other.addMember('b', 'alice')])
    assert.deepEqual(both, [true, true])
    assert.equal(await store.addMember('a', 'alice'), false)
    assert.deepEqual(await store.groupsOf('alice'), ['a', 'b'])
    await Promise.all([store.removeMember('a', 'alice'), other.addMember('c', 'alice')])
    assert.deepEqual(await store.groupsOf('alice'), ['b', 'c'])
    assert.equal(await store.removeMember('b', 'alice'), true)
    assert.equal(await store.removeMember('b', 'alice'), false)
    await store.addMember('c', 'bob')
    await store.removeMember('c', 'alice')
    assert.deepEqual(await store.membersOf('c'), ['bob'])
  })

  contract('groups of a user change with the rest of it, or, refused, not at all', async (store) => {
    for (const name of ['a', 'b']) await store.putGroup(group(name))
    await store.addUser(userNamed('alice', { admin: true }), ['a'])
    assert.equal(await store.changeUser('alice', { admin: false, groups: ['b'] }), 'last admin')
    assert.deepEqual(await store.groupsOf('alice'), ['a'])
    assert.equal(await store.changeUser('alice', { email: 'alice@test', groups: ['b'] }), 'done')
    assert.equal((await store.findUser('alice'))?.email, 'alice@test')
    assert.deepEqual(await store.groupsOf('alice'), ['b'])
    await store.changeUser('alice', { email: undefined })
    assert.deepEqual(await store.groupsOf('alice'), ['b'])
    await store.changeUser('alice', { groups: [] })
    assert.deepEqual(await store.groupsOf('alice'), [])
    assert.equal(await store.changeUser('nobody', { groups: ['a'] }), 'unknown')
    assert.deepEqual(await store.membersOf('a'), [])
  })

  contract('a permission target is made, replaced, listed and removed', async (store) => {
    const users: Grants = Object.fromEntries(['anonymous', 'constructor'].map((name) => [name, ['read']]))
    const anything = target('Anything', { users })
    assert.equal(await store.putTarget(anything), true)
    assert.deepEqual(await store.findTarget('Anything'), anything)
    const other: PermissionTarget = {
      name: 'Anything',
      repositories: ['docker-local', 'ANY REMOTE'],
      includes: ['a/**'],
      excludes: ['a/b/**', '**/latest'],
      users: {},
      groups: { devs: ['manage', 'read'] },
    }
    assert.equal(await store.putTarget(other), false)
    assert.deepEqual(await store.findTarget('Anything'), other)
    await store.putTarget(target('A', { groups: { devs: ['read'] } }))
    assert.deepEqual(await store.listTargets(), [target('A', { groups: { devs: ['read'] } }), other])
    assert.equal(await store.removeTarget('Anything'), true)
    assert.equal(await store.removeTarget('Anything'), false)
    assert.equal(await store.findTarget('Anything'), undefined)
    await store.putTarget(target('Anything', {}))
    assert.deepEqual(await store.findTarget('Anything'), target('Anything', {}), 'nobody has what others had before')
  })

  contract('who may do what is said anew without touching what the target is about', async (store) => {
    const about = { repositories: ['docker-local'], includes: ['a/**'], excludes: ['a/b/**'] }
    await store.putTarget(target('A', { ...about, users: { alice: ['read'] }, groups: { devs: ['read'] } }))
    assert.equal(await store.putGrants('A', { users: { bob: ['deploy'] }, groups: {} }), true)
    assert.deepEqual(await store.findTarget('A'), target('A', { ...about, users: { bob: ['deploy'] } }))
    assert.equal(await store.putGrants('B', { users: { bob: ['deploy'] }, groups: {} }), false)
    await store.putTarget(target('B', {}))
    assert.deepEqual(await store.findTarget('B'), target('B', {}))
  })

  contract('a user is removed with its memberships, permissions and tokens; nobody inherits them', async (store) => {
    await store.addUser(userNamed('admin', { admin: true }))
    await store.putGroup(group('devs'))
    for (const name of ['alice', 'bob']) await store.addUser(userNamed(name), ['devs'])
    const both: Grants = { alice: ['read'], bob: ['read'] }
    await store.putTarget(target('A', { users: both, groups: both }))
    for (const kind of kinds) await store.addToken(token(`alice-${kind}`, { user: 'alice', kind }), 1)
    await store.addToken(token('bob-access', { user: 'bob' }), 1)

    assert.equal(await store.removeUser('alice'), 'done')
    assert.equal(await store.removeUser('alice'), 'unknown')
    await store.addUser(userNamed('alice'))
    assert.deepEqual(await store.groupsOf('alice'), [])
    assert.deepEqual(await store.listTokens('alice'), [])
    assert.equal(await store.findToken('alice-access'), undefined)
    const left = target('A', { users: { bob: ['read'] }, groups: both })
    assert.deepEqual(await store.findTarget('A'), left, 'a group may have the same name')
    assert.deepEqual(await store.membersOf('devs'), ['bob'])
    assert.equal((await store.listTokens('bob')).length, 1)
  })

  contract('a group is removed with its memberships and permissions; nobody inherits them', async (store) => {
    for (const name of ['devs', 'others']) await store.putGroup(group(name), ['alice'])
    const both: Grants = { devs: ['read'], others: ['read'] }
    await store.putTarget(target('A', { users: both, groups: both }))
    assert.equal(await store.removeGroup('devs'), true)
    assert.equal(await store.removeGroup('devs'), false)
    await store.putGroup(group('devs'))
    assert.deepEqual(await store.membersOf('devs'), [])
    assert.deepEqual(await store.groupsOf('alice'), ['others'])
    assert.deepEqual(await store.findTarget('A'), target('A', { users: both, groups: { others: ['read'] } }))
  })

  contract('a token is found as it was added, used, and removed', async (store) => {
    const full = token('one', { scope: 'artifact:a:r', description: 'for CI', expiresAt: at(100) })
    await store.addToken(full, 10)
    await store.addToken(token('two', { issuedAt: at(1) }), 10)
    assert.deepEqual(await store.findToken('one'), full)
    await store.recordTokenUse('one', at(5))
    assert.deepEqual(await store.findToken('one'), { ...full, lastUsedAt: at(5) })
    assert.equal(await store.removeToken('one'), true)
    assert.equal(await store.removeToken('one'), false)
    assert.equal(await store.findToken('one'), undefined)
    assert.ok(await store.findToken('two'))
  })

  contract('tokens are listed newest first, of everybody or of one', async (store) => {
    await store.addToken(token('b', { issuedAt: at(2) }), 10)
    await store.addToken(token('a', { issuedAt: at(2) }), 10)
    await store.addToken(token('c', { issuedAt: at(3), user: 'bob' }), 10)
    await store.addToken(token('d', { issuedAt: at(1), kind: 'refresh' }), 10)
    assert.deepEqual(ids(await store.listTokens(undefined)), ['c', 'a', 'b', 'd'])
    assert.deepEqual(ids(await store.listTokens('alice')), ['a', 'b', 'd'])
    assert.deepEqual(await store.listTokens('nobody'), [])
  })

  contract('the oldest tokens of the same user and kind go for a new one', async (store) => {
    const refresh = (id: string, seconds: number) => token(id, { kind: 'refresh', issuedAt: at(seconds) })
    for (const [index, id] of ['a', 'b', 'c'].entries()) await store.addToken(refresh(id, index), 10)
    await store.addToken(token('access'), 1)
    await store.addToken(token('of-bob', { user: 'bob' }), 1)
    await store.addToken(refresh('d', 9), 2)
    assert.deepEqual(ids(await store.listTokens('alice')), ['d', 'c', 'access'])
    assert.deepEqual(ids(await store.listTokens('bob')), ['of-bob'])
  })

  contract('an access token that somebody may rely on goes for no other: one more is refused', async (store) => {
    await store.addToken(token('for ever'), 2)
    await store.addToken(token('short', { issuedAt: at(1), expiresAt: at(5) }), 2)
    const refused = { code: 'CONFLICT', message: /^alice has 2 access tokens already/ }
    await assert.rejects(store.addToken(token('more', { issuedAt: at(4) }), 2), refused)
    // What has expired is not in the way.
    await store.addToken(token('more', { issuedAt: at(5) }), 2)
    assert.deepEqual(ids(await store.listTokens('alice')), ['more', 'for ever'])
  })

  contract('who comes to have a name has none of the tokens of that name before', async (store) => {
    await store.addToken(token('made for a free name'), 10)
    await store.addToken(token('of-bob', { user: 'bob' }), 10)
    await store.addUser(userNamed('alice'))
    assert.deepEqual(ids(await store.listTokens(undefined)), ['of-bob'])
    await store.keepRealmUser({ name: 'bob', realm: 'ldap', admin: false, email: undefined, realmGroups: [] })
    assert.deepEqual(await store.listTokens(undefined), [])
  })

  contract('a new password ends the tokens that stand for the old one, and no others', async (store) => {
    await store.addUser(userNamed('alice'))
    await store.addToken(token('of-bob', { kind: 'refresh', user: 'bob' }), 10)
    const change = async (passwordHash: string | undefined) => {
      for (const kind of kinds) await store.addToken(token(kind, { kind }), 1)
      await store.changeUser('alice', { passwordHash })
      assert.deepEqual(ids(await store.listTokens(undefined)).sort(), ['access', 'api key', 'of-bob'])
      for (const kind of kinds) await store.removeToken(kind)
    }
    await change('another')
    await change(undefined)
    await store.addToken(token('refresh', { kind: 'refresh' }), 1)
    await store.changeUser('alice', { email: 'alice@test', admin: true })
    assert.ok(await store.findToken('refresh'))
  })

  contract('tokens that have ended are removed; those that end later or never stay', async (store) => {
    await store.addToken(token('ended', { expiresAt: at(10) }), 10)
    await store.addToken(token('later', { expiresAt: at(11) }), 10)
    await store.addToken(token('never'), 10)
    assert.equal(await store.removeExpiredTokens(at(10)), 1)
    assert.deepEqual(ids(await store.listTokens(undefined)), ['later', 'never'])
  })

  contract(
    'the version is another one after each change of who may do what, by whichever process',
    async (store, fixture) => {
      await using other = await fixture.open()
      await store.addUser(userNamed('admin', { admin: true }))
      for (const [id, rest] of [
        ['one', {}],
        ['key', { kind: 'api key' }],
        ['ended', { expiresAt: at(1) }],
      ] as const)
        await store.addToken(token(id, { user: 'bob', ...rest }), 10)
      const changes: readonly ((store: AccessStore) => Promise<unknown>)[] = [
        (store) => store.addUser(userNamed('alice')),
        (store) => store.changeUser('alice', { admin: true }),
        (store) => store.changeUser('alice', { groups: [] }),
        (store) => store.putGroup(group('devs')),
        (store) => store.setGroupsOf('alice', ['devs']),
        (store) => store.removeMember('devs', 'alice'),
        (store) => store.addMember('devs', 'alice'),
        (store) => store.putTarget(target('A', {})),
        (store) => store.putGrants('A', { users: { alice: ['read'] }, groups: {} }),
        (store) => store.removeToken('one'),
        (store) => store.removeToken('key'),
        (store) => store.removeExpiredTokens(at(1)),
        (store) =>
          store
            .addToken(token('key 1', { kind: 'api key' }), 1)
            .then(() => store.addToken(token('key 2', { kind: 'api key' }), 1)),
        (store) => store.removeTarget('A'),
        (store) => store.removeGroup('devs'),
        (store) => store.removeUser('alice'),
        (store) => store.keepRealmUser({ name: 'bob', realm: 'ldap', admin: false, email: undefined, realmGroups: [] }),
      ]
      for (const [index, change] of changes.entries()) {
        const before = await store.accessVersion()
        await change(index % 2 === 0 ? store : other)
        assert.notEqual(await store.accessVersion(), before, String(change))
      }
    },
  )

  contract('the version stays while nothing changes: logins, use, what was refused or is not there', async (store) => {
    await store.addUser(userNamed('alice', { admin: true }))
    await store.addToken(token('one'), 10)
    await store.addMember('devs', 'alice')
    const before = await store.accessVersion()
    await store.addUser(userNamed('alice'))
    await store.addMember('devs', 'alice')
    await store.removeMember('ops', 'alice')
    await store.recordLogin('alice', at(1))
    await store.recordTokenUse('one', at(1))
    await store.removeUser('alice')
    await store.removeGroup('devs')
    await store.removeTarget('A')
    await store.putGrants('A', { users: {}, groups: {} })
    await store.removeToken('two')
    await store.listTargets()
    assert.equal(await store.accessVersion(), before)
  })

  contract('signing keys are listed newest first; one is made at a time, and old ones go', async (store, fixture) => {
    await using other = await fixture.open()
    const key = (id: string, seconds: number) => ({ id, jwk: `key ${id}`, madeAt: at(seconds) })
    const never = at(0)
    await Promise.all([
      store.addSigningKey(key('a', 10), never, never),
      other.addSigningKey(key('b', 10), never, never),
    ])
    const [first, ...others] = await store.listSigningKeys()
    assert.ok(first)
    assert.deepEqual(others, [])
    assert.deepEqual(first, key(first.id, 10))
    await store.addSigningKey(key('c', 20), at(10), never)
    assert.deepEqual(ids(await other.listSigningKeys()), ['c', first.id])
    await store.addSigningKey(key('d', 30), at(20), at(20))
    assert.deepEqual(ids(await store.listSigningKeys()), ['d', 'c'])
  })

  contract('all of it is there after a restart', async (store, fixture) => {
    await store.putGroup(group('devs'))
    await store.addUser(userNamed('alice', { realmGroups: ['staff'] }), ['devs'])
    await store.putTarget(target('A', { users: { alice: ['read', 'deploy'] } }))
    await store.addToken(token('one'), 10)
    await using again = await fixture.open()
    assert.deepEqual(await again.findUser('alice'), userNamed('alice', { realmGroups: ['staff'] }))
    assert.deepEqual(await again.groupsOf('alice'), ['devs'])
    assert.deepEqual(await again.findTarget('A'), target('A', { users: { alice: ['read', 'deploy'] } }))
    assert.deepEqual(await again.findToken('one'), token('one'))
    assert.equal(await again.accessVersion(), await store.accessVersion())
  })
}

const kinds: readonly TokenKind[] = ['access', 'refresh', 'api key', 'encrypted password']

function at(seconds: number): Date {
  return new Date(Date.UTC(2026, 0, 1, 0, 0, seconds))
}

function group(name: string, rest: Partial<GroupRecord> = {}): GroupRecord {
  return { name, description: '', autoJoin: false, admins: false, ...rest }
}

function token(id: string, rest: Partial<TokenRecord> = {}): TokenRecord {
  const usual = {
    kind: 'access',
    user: 'alice',
    scope: 'applied-permissions/user',
    standsAlone: false,
    passwordStamp: undefined,
    description: '',
  } as const
  const times = { issuedAt: at(0), expiresAt: undefined, lastUsedAt: undefined }
  return { id, secretHash: `hash of ${id}`, ...usual, ...times, ...rest }
}

function names(records: readonly { readonly name: string }[]): readonly string[] {
  return records.map(({ name }) => name)
}

function ids(records: readonly { readonly id: string }[]): string[] {
  return records.map(({ id }) => id)
}
