import assert from 'node:assert/strict'
import { test } from 'node:test'
import { matchesPattern, matchRule } from '../../../registry/identity/oidc/claim-rules.ts'
import { registrySection } from '../../../registry/config.ts'

const mainBranch = 'repo:company/*:ref:refs/heads/main'

for (const [pattern, value, matches] of [
  ['repo:company/app:ref:refs/heads/main', 'repo:company/app:ref:refs/heads/main', true],
  ['repo:company/app', 'repo:company/app:ref:refs/heads/main', false],
  [mainBranch, 'repo:company/app:ref:refs/heads/main', true],
  [mainBranch, 'repo:company/app:ref:refs/heads/main2', false],
  [mainBranch, 'repo:company/app:ref:refs/heads/feature/main', false],
  [mainBranch, 'repo:company/app:pull_request', false],
  [mainBranch, 'repo:company-of-others/app:ref:refs/heads/main', false],
  [mainBranch, 'x repo:company/app:ref:refs/heads/main', false],
  [mainBranch, 'repo:company/app:ref:refs/heads/main\n', false],
  [mainBranch, 'REPO:company/app:ref:refs/heads/main', false],
  // The one that everybody falls for, and that the reference of the configuration warns of.
  ['repo:company*', 'repo:company-of-others/app:ref:refs/heads/main', true],
  ['repo:company/*', 'repo:company-of-others/app', false],
  ['a.c', 'abc', false],
  ['a+(b)?[c]|^$\\', 'a+(b)?[c]|^$\\', true],
  ['refs/heads/*', 'refs/heads/release/1.0', true],
  ['refs/heads/*', 'refs/heads/', true],
  ['*', '', true],
  ['a*a', 'a', false],
  ['a*a', 'aa', true],
  ['a*b*c', 'a-b-b-c', true],
  ['a*b*c', 'a-c-b', false],
  ['*b*', 'abc', true],
  ['a**c', 'abc', true],
  ['', '', true],
] as const)
  test(`${JSON.stringify(value)} ${matches ? 'matches' : 'does not match'} ${pattern}`, () => {
    assert.equal(matchesPattern(value, pattern), matches)
  })

test('no value takes long to be compared', () => {
  const started = process.cpuUsage()
  assert.equal(matchesPattern('a'.repeat(200_000), `${'a*'.repeat(50)}b`), false)
  assert.equal(matchesPattern(`${'a'.repeat(200_000)}b`, `*${'aa*'.repeat(50)}c*b`), false)
  assert.ok(process.cpuUsage(started).user < 1_000_000)
})

type Claims = Readonly<Record<string, string | string[]>>
const rule = (name: string, claims: Claims) => ({
  name,
  claims,
  user: 'ci',
  groups: undefined,
  scope: undefined,
  life: '10m',
})

test('a rule needs all of its claims; the first that has them counts, else every miss is named', () => {
  const rules = [
    rule('release', { repository: 'company/app', ref: ['refs/heads/main', 'refs/tags/v*'] }),
    rule('any', { repository: 'company/*' }),
  ]
  const found = (claims: Readonly<Record<string, unknown>>) => {
    const matched = matchRule(rules, claims)
    return 'rule' in matched ? matched.rule.name : matched.misses
  }
  assert.equal(found({ repository: 'company/app', ref: 'refs/tags/v1' }), 'release')
  assert.equal(found({ repository: 'company/app', ref: 'refs/heads/other' }), 'any')
  assert.deepEqual(found({ repository: 'elsewhere/app', ref: 'refs/heads/main' }), [
    { rule: 'release', claims: ['repository'] },
    { rule: 'any', claims: ['repository'] },
  ])
  assert.deepEqual(found({}), [
    { rule: 'release', claims: ['repository', 'ref'] },
    { rule: 'any', claims: ['repository'] },
  ])
})

for (const [what, claims, wanted, matches] of [
  ['a path inside another claim', { a: { b: ['x', 'y'] } }, { 'a.b': 'y' }, true],
  ['a name that has dots itself', { 'https://company.test/team': 'x' }, { 'https://company.test/team': 'x' }, true],
  ['one of a list', { groups: ['x', 'y'] }, { groups: 'y' }, true],
  ['none of a list', { groups: ['x', 'y'] }, { groups: 'x,y' }, false],
  ['a truth', { ref_protected: true }, { ref_protected: 'true' }, true],
  ['a number', { project_id: 22 }, { project_id: '22' }, true],
  ['nothing', { environment: null }, { environment: '*' }, false],
  ['no claim at all', {}, { environment: '*' }, false],
  ['an object', { a: { b: 'c' } }, { a: '*' }, false],
  ['what lies in what every object inherits', {}, { 'constructor.name': 'Object' }, false],
  ['what every object inherits', {}, { constructor: '*' }, false],
] as const)
  test(`${what} ${matches ? 'matches' : 'does not match'}`, () => {
    assert.equal('rule' in matchRule([rule('only', wanted as Claims)], claims), matches)
  })

const provider = (more: object) => ({ oidc: { github: { issuer: 'https://issuer.test', ...more } } })
const withRule = (more: object) =>
  provider({ workload: { audience: 'caisson', rules: [{ name: 'main', claims: { sub: 'x' }, user: 'ci', ...more }] } })

for (const [what, section, says] of [
  ['a rule without claims', withRule({ claims: {} }), /at least one claim/],
  ['a rule that any token matches', withRule({ claims: { sub: '*' } }), /at least one claim/],
  ['a rule that any token matches by one of its values', withRule({ claims: { sub: ['x', '**'] } }), /at least one/],
  ['a rule by what every job can ask for', withRule({ claims: { aud: 'caisson', iss: 'x' } }), /at least one claim/],
  ['a rule for nobody', withRule({ user: undefined }), /either user or groups/],
  ['a rule for two', withRule({ groups: ['x'] }), /either user or groups/],
  ['a token that lives too long', withRule({ life: '2h' }), /at most 1h/],
  ['a token that does not live', withRule({ life: '0s' }), /at least 1s/],
  ['an issuer without TLS', { oidc: { x: { issuer: 'http://issuer.test', clientId: 'x' } } }, /https/],
  ['an issuer that only looks like this machine', { oidc: { x: { issuer: 'http://127.0.0.1.evil.test' } } }, /https/],
  ['a provider for nothing', provider({}), /clientId, for people, or workload/],
  ['a secret in the configuration itself', provider({ clientId: 'x', clientSecret: 'y' }), /secret/],
  ['scopes without openid', provider({ clientId: 'x', scopes: ['profile'] }), /openid/],
  ['a name that is no path segment', { oidc: { 'a/b': { issuer: 'https://x.test', clientId: 'x' } } }, /name/],
] as const)
  test(`${what} is refused in the configuration`, () => {
    const { success, error } = registrySection.safeParse(section)
    assert.equal(success, false)
    assert.match(JSON.stringify(error.issues), says)
  })

test('a provider on this machine needs no TLS', () => {
  for (const issuer of ['http://127.0.0.1:8080/realm', 'http://localhost:1', 'http://[::1]:1'])
    registrySection.parse({ oidc: { x: { issuer, clientId: 'x' } } })
})
