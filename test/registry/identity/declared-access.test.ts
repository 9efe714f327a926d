import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { registrySection } from '../../../registry/config.ts'
import { readDeclaredAccess } from '../../../registry/identity/declared-access.ts'
import { verifyPassword } from '../../../registry/identity/passwords.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

const directory = await temporaryDirectory()
after(() => directory[Symbol.asyncDispose]())
const file = join(directory.path, 'password')
await writeFile(file, 'from a file\n')
process.env['TEST_PASSWORD'] = 'from the environment'

const declared = async (section: object) =>
  readDeclaredAccess(registrySection.parse(section), { secret: async () => 'key' })

test('users, groups and permission targets of the file are read, with what is not said', async () => {
  const { users, groups, targets } = await declared({
    users: {
      alice: { password: { file }, admin: true, email: 'alice@example.com', groups: ['devs'] },
      ci: { robot: true },
    },
    groups: { devs: {} },
    permissions: { all: { repositories: ['ANY'], users: { anonymous: ['read'] } } },
  })
  const alice = users.get('alice')
  assert.ok(alice?.record.passwordHash)
  assert.ok(await verifyPassword('from a file', alice.record.passwordHash))
  assert.deepEqual(alice, {
    record: {
      name: 'alice',
      kind: 'user',
      realm: 'internal',
      passwordHash: alice.record.passwordHash,
      admin: true,
      email: 'alice@example.com',
      realmGroups: [],
      lastLogin: undefined,
    },
    groups: ['devs'],
  })
  const ci = users.get('ci')
  assert.equal(ci?.record.kind, 'robot')
  assert.equal(ci?.record.passwordHash, undefined)
  assert.equal(ci?.groups, undefined)
  assert.deepEqual(groups.get('devs'), { name: 'devs', description: '', autoJoin: false, admins: false })
  assert.deepEqual(targets.get('all'), {
    name: 'all',
    repositories: ['ANY'],
    includes: ['**'],
    excludes: [],
    users: { anonymous: ['read'] },
    groups: {},
  })
})

test('a password comes from the environment too', async () => {
  const { users } = await declared({ users: { alice: { password: { env: 'TEST_PASSWORD' } } } })
  assert.ok(await verifyPassword('from the environment', users.get('alice')?.record.passwordHash ?? ''))
})

for (const [what, password] of [
  ['is not where the file says', { env: 'NOT_THERE' }],
  ['lies in no file', { file: join(directory.path, 'missing') }],
] as const)
  test(`a password that ${what} is named by its user and never told`, async () => {
    await assert.rejects(declared({ users: { alice: { password } } }), /^Error: registry\.users\.alice\.password: /)
  })

test('a password that nobody should have is refused', async () => {
  process.env['SHORT'] = 'short'
  await assert.rejects(declared({ users: { alice: { password: { env: 'SHORT' } } } }), (error: Error) => {
    assert.match(error.message, /^registry\.users\.alice\.password: .*expected at least 8$/)
    assert.ok(!error.message.includes('"short"'))
    return true
  })
})

for (const [what, section, path] of [
  ['a robot with a password', { users: { ci: { robot: true, password: { file } } } }, 'users.ci.password'],
  ['a user called anonymous', { users: { anonymous: {} } }, 'users.anonymous'],
  ['a user called like a path', { users: { 'a/b': {} } }, 'users.a/b'],
  ['a group called anonymous', { groups: { anonymous: {} } }, 'groups.anonymous'],
  [
    'an action that is none',
    { permissions: { x: { repositories: ['ANY'], users: { a: ['write'] } } } },
    'permissions.x.users.a.0',
  ],
  ['a target about no repository', { permissions: { x: { repositories: [] } } }, 'permissions.x.repositories'],
  [
    'a target about a pattern of repositories',
    { permissions: { x: { repositories: ['dev-*'] } } },
    'permissions.x.repositories.0',
  ],
  [
    'a pattern that matches nothing',
    { permissions: { x: { repositories: ['ANY'], includes: ['/a'] } } },
    'permissions.x.includes.0',
  ],
  [
    'rights for a name that is none',
    { permissions: { x: { repositories: ['ANY'], groups: { '*': ['read'] } } } },
    'permissions.x.groups.*',
  ],
] as const)
  test(`${what} is refused at ${path}`, () => {
    const { error } = registrySection.safeParse(section)
    assert.deepEqual(
      error?.issues.map((issue) => issue.path.join('.')),
      [path],
    )
  })

for (const [said, means] of [
  [undefined, false],
  [null, false],
  ['', false],
  [false, false],
  [true, true],
  ['all', true],
  [[], []],
  [
    ['docker-local', 'docker-prod'],
    ['docker-local', 'docker-prod'],
  ],
] as const)
  test(`forceAuthentication ${JSON.stringify(said)} means ${JSON.stringify(means)}`, () => {
    assert.deepEqual(registrySection.parse({ forceAuthentication: said }).forceAuthentication, means)
  })
