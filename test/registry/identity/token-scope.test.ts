import assert from 'node:assert/strict'
import { test } from 'node:test'
import { actions, type UserPrincipal } from '../../../registry/domain/permissions.ts'
import { compileAccessRules } from '../../../registry/domain/access-rules.ts'
import { isRepositoryKey, parseImageName } from '../../../registry/domain/names.ts'
import { parseTokenScope, withinScope } from '../../../registry/identity/token-scope.ts'
import { target } from '../../helpers/users.ts'

const user = { kind: 'user' }
const limit = (repository: string, pattern: string, ...actions: readonly string[]) => ({ repository, pattern, actions })

for (const [text, scope] of [
  ['', user],
  ['api:*', user],
  ['  ', user],
  ['applied-permissions/user', user],
  ['applied-permissions/user api:*', user],
  ['applied-permissions/admin', { kind: 'admin' }],
  ['applied-permissions/groups:a', { kind: 'groups', groups: ['a'], limits: undefined }],
  ['applied-permissions/groups:a,b-c', { kind: 'groups', groups: ['a', 'b-c'], limits: undefined }],
  ['member-of-groups:a api:*', { kind: 'groups', groups: ['a'], limits: undefined }],
  ['member-of-groups:a applied-permissions/groups:b', { kind: 'groups', groups: ['a', 'b'], limits: undefined }],
  ['artifact:docker-local:r', { kind: 'limits', limits: [limit('docker-local', '**', 'read')] }],
  ['artifact:docker-local/app/**:r,w', { kind: 'limits', limits: [limit('docker-local', 'app/**', 'read', 'deploy')] }],
  ['artifact:ANY/a/v?:*', { kind: 'limits', limits: [limit('ANY', 'a/v?', ...actions)] }],
  ['artifact:a:n,a,d,m', { kind: 'limits', limits: [limit('a', '**', 'annotate', 'delete', 'manage')] }],
  ['artifact:a:r artifact:b/x/:w', { kind: 'limits', limits: [limit('a', '**', 'read'), limit('b', 'x/', 'deploy')] }],
  ['applied-permissions/groups:g artifact:a:r', { kind: 'groups', groups: ['g'], limits: [limit('a', '**', 'read')] }],
] as const)
  test(`the scope "${text}" is understood`, () => {
    assert.deepEqual(parseTokenScope(text), scope)
  })

for (const text of [
  'everything',
  'applied-permissions/users',
  'applied-permissions/user,applied-permissions/admin',
  'applied-permissions/admin applied-permissions/user',
  'applied-permissions/admin artifact:a:r',
  'applied-permissions/user artifact:a:r',
  'applied-permissions/groups:',
  'applied-permissions/groups:a,,b',
  'applied-permissions/groups:*',
  'member-of-groups:"a b"',
  'member-of-groups:anonymous',
  'artifact:a',
  'artifact:a:',
  'artifact:a:x',
  'artifact:a:rw',
  'artifact:a:r,',
  'artifact:A:r',
  'artifact:*:r',
  'artifact:ANY LOCAL:r',
  'artifact:a/:r',
  'artifact:a//b:r',
  'artifact:a/b**:r',
  'artifact:a/b:c:r',
  'artifact:v2:r',
  'api:* nonsense',
])
  test(`the scope "${text}" is refused, by its name`, () => {
    assert.throws(() => parseTokenScope(text), { code: 'BAD_REQUEST' })
  })

const alice: UserPrincipal = { kind: 'user', name: 'alice', admin: true, groups: ['devs'] }

test('a token for the user is the user, and one for an admin makes an admin', () => {
  assert.equal(withinScope(alice, parseTokenScope('')), alice)
  const plain = { ...alice, admin: false }
  assert.deepEqual(withinScope(plain, parseTokenScope('applied-permissions/admin')), alice)
})

test('a limited token of an admin has limits', () => {
  const { admin, limits } = withinScope(alice, parseTokenScope('artifact:a:r'))
  assert.deepEqual({ admin, limits }, { admin: true, limits: [limit('a', '**', 'read')] })
})

test('a token for groups has the rights of these and of everybody, and none that its user has by name or as an admin', () => {
  const rules = compileAccessRules(
    [
      target('by name', { users: { alice: ['manage'], anonymous: ['read'] } }),
      target('by group', { groups: { testers: ['deploy'], devs: ['delete'] } }),
    ],
    { anonymousAccess: true, forceAuthentication: false, placeOf: () => ({ kind: 'local' }) },
  )
  const key = 'docker-local'
  assert.ok(isRepositoryKey(key))
  const token = withinScope(alice, parseTokenScope('applied-permissions/groups:testers'))
  const allowed = actions.filter((action) => rules.tagsOf(token, action, key, parseImageName('app')).has('1'))
  assert.deepEqual(allowed, ['read', 'deploy'])
})
