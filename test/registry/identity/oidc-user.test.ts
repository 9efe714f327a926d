import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RegistryError } from '../../../registry/domain/errors.ts'
import { parseReturnTo } from '../../../registry/identity/oidc/return-to.ts'
import { sourceUserOf } from '../../../registry/identity/oidc/source-user.ts'

const defaults = {
  userClaim: 'preferred_username',
  groupsClaim: 'groups',
  groupMapping: undefined,
  adminGroup: undefined,
}
const userOf = (claims: Readonly<Record<string, unknown>>, config: object = {}) =>
  sourceUserOf('company', claims, { ...defaults, ...config })

test('a user is whom the claims name, in the groups that they name', () => {
  assert.deepEqual(userOf({ preferred_username: 'Alice', email: 'a@x.test', groups: ['b', 'a'] }), {
    name: 'Alice',
    email: 'a@x.test',
    groups: ['b', 'a'],
    admin: false,
  })
  assert.deepEqual(userOf({ preferred_username: 'a@x.test' }), {
    name: 'a@x.test',
    email: undefined,
    groups: [],
    admin: false,
  })
})

test('groups may lie inside another claim, and may be one', () => {
  const claims = { preferred_username: 'alice', realm_access: { roles: ['dev'] }, team: 'ops' }
  assert.deepEqual(userOf(claims, { groupsClaim: 'realm_access.roles' }).groups, ['dev'])
  assert.deepEqual(userOf(claims, { groupsClaim: 'team' }).groups, ['ops'])
})

test('with a mapping only the groups count that it names; the admin group is one of the provider', () => {
  const claims = { preferred_username: 'alice', groups: ['cn-dev', 'cn-dev-2', 'developers', 'constructor', 'admins'] }
  const config = { groupMapping: { 'cn-dev': 'developers', 'cn-dev-2': 'developers' }, adminGroup: 'admins' }
  assert.deepEqual(userOf(claims, config).groups, ['developers'])
  assert.equal(userOf(claims, config).admin, true)
  assert.equal(userOf(claims, { ...config, adminGroup: 'admin' }).admin, false)
  const mappedToAdmins = { groupMapping: { 'cn-dev': 'boss' }, adminGroup: 'boss' }
  assert.equal(userOf(claims, mappedToAdmins).admin, false)
})

test('an e-mail address that is not verified is none, and no user name', () => {
  const unverified = { preferred_username: 'alice', email: 'admin@x.test', email_verified: false }
  assert.equal(userOf(unverified).email, undefined)
  const byEmail = { userClaim: 'email' }
  assert.equal(userOf({ email: 'a@x.test', email_verified: true }, byEmail).name, 'a@x.test')
  for (const email_verified of [false, undefined, 'true', 1])
    assert.throws(() => userOf({ email: 'a@x.test', email_verified }, byEmail), denied(/has not verified/))
})

test('a claim that is missing is replaced by no other', () => {
  for (const preferred_username of [undefined, null, 7, ['alice'], { name: 'alice' }])
    assert.throws(
      () => userOf({ preferred_username, email: 'a@x.test', email_verified: true, sub: 'x' }),
      denied(/no user name in the claim preferred_username/),
    )
})

for (const name of ['', 'anonymous', 'Anonymous', '.x', '-x', 'a b', 'a/b', 'a:b', 'a\n', 'ä', '<b>', 'a'.repeat(65)])
  test(`${JSON.stringify(name)} is no user name`, () => {
    assert.throws(() => userOf({ preferred_username: name }), denied(/is no user name here/))
  })

test('a path on this host is one to return to', () => {
  for (const path of ['/', '/console', '/console?tab=a//b&x=https://y#z', '/a/b%2F..%5C', '/@evil.test', '/.a/..b'])
    assert.equal(parseReturnTo(path), path)
})

for (const text of [
  '',
  'console',
  '//evil.test',
  '///evil.test',
  '/\\evil.test',
  '\\\\evil.test',
  '/a\\b',
  '/a//evil.test',
  '/.//evil.test',
  'https://evil.test',
  'https:evil.test',
  'javascript:alert(1)',
  ' /console',
  '/con sole',
  '/\t/evil.test',
  '/\n/evil.test',
  '/a\r\nSet-Cookie: x=y',
  '/\u0000',
  '/ä',
  '/\u2028',
  `/${'a'.repeat(1024)}`,
])
  test(`${JSON.stringify(text.slice(0, 40))} leads nowhere`, () => {
    assert.throws(() => parseReturnTo(text), { code: 'BAD_REQUEST' })
  })

function denied(why: RegExp) {
  return (error: unknown) => error instanceof RegistryError && error.code === 'DENIED' && why.test(error.message)
}
