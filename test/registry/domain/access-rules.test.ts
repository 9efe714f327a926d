import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { compileAccessRules, type RepositoryPlace } from '../../../registry/domain/access-rules.ts'
import { isAntPattern } from '../../../registry/domain/ant-pattern.ts'
import { isRepositoryKey, parseImageName, type RepositoryKey } from '../../../registry/domain/names.ts'
import { problemWithPattern, type PermissionTarget } from '../../../registry/domain/permission-target.ts'
import { actions, anonymous, type Action, type Principal } from '../../../registry/domain/permissions.ts'
import { naivelyMay, type Asker } from '../../helpers/naive-access.ts'
import { target } from '../../helpers/users.ts'

const kinds = { a: 'local', b: 'remote', c: 'virtual' } as const
const keys = ['a', 'b', 'c', 'gone'].map(key)
const images = ['x', 'y', 'x/y', 'x/y/z', 'team/app'].map(parseImageName)
const tags = ['1', 'v1', 'latest', 'y']

function key(text: string): RepositoryKey {
  assert.ok(isRepositoryKey(text))
  return text
}

const virtual = { c: { members: ['a', 'b'].map(key), deployTo: key('a') } }

function placeOf(repository: RepositoryKey): RepositoryPlace | undefined {
  const name: string = repository
  switch (name) {
    case 'a':
      return { kind: 'local' }
    case 'b':
      return { kind: 'remote', nameOf: (image) => image }
    case 'c':
      return { kind: 'virtual', ...virtual.c }
    default:
      return undefined
  }
}

const segment = fc.constantFrom('**', '*', '?', 'x', 'y', 'v*', '*t', 'team', 'app', '1', 'v?')
const pattern = fc
  .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.constantFrom('', '/'))
  .map(([segments, end]) => segments.join('/') + end)
  .filter(isAntPattern)
const some = fc.subarray([...actions])
const anyTarget: fc.Arbitrary<PermissionTarget> = fc
  .record({
    repositories: fc.subarray(['a', 'b', 'c', 'gone', 'ANY', 'ANY LOCAL', 'ANY REMOTE'], { minLength: 1 }),
    includes: fc.array(pattern, { maxLength: 3 }),
    excludes: fc.array(pattern, { maxLength: 2 }),
    users: fc.dictionary(fc.constantFrom('alice', 'bob', 'anonymous', 'constructor'), some, { noNullPrototype: true }),
    groups: fc.dictionary(fc.constantFrom('dev', 'ops'), some, { noNullPrototype: true }),
  })
  .map((rest) => target('t', rest))
const asker: fc.Arbitrary<Asker> = fc.oneof(
  fc.constant({ name: undefined, admin: false, groups: [] }),
  fc.record({
    name: fc.constantFrom('alice', 'bob', 'toString'),
    admin: fc.constantFrom(false, false, true),
    groups: fc.subarray(['dev', 'ops', 'valueOf']),
  }),
)

function principalOf({ name, admin, groups }: Asker): Principal {
  return name === undefined ? anonymous : { kind: 'user', name, admin, groups }
}

const question = {
  targets: fc.array(anyTarget, { maxLength: 4 }),
  asker,
  anonymousAccess: fc.boolean(),
  forced: fc.subarray(['a', 'b', 'c', 'gone']),
}

test('everybody may just what the rules say, one tag at a time', () => {
  fc.assert(
    fc.property(fc.record(question), ({ targets, asker, anonymousAccess, forced }) => {
      const rules = compileAccessRules(targets, { anonymousAccess, forceAuthentication: forced, placeOf })
      for (const repository of keys)
        for (const image of images)
          for (const action of actions) {
            const allowed = rules.tagsOf(principalOf(asker), action, repository, image)
            for (const tag of tags) {
              const settings = { anonymousAccess, forced, kinds, virtual }
              const expected = naivelyMay(asker, action, repository, `${image}/${tag}`, targets, settings)
              assert.equal(allowed.has(tag), expected, `${action} ${repository}/${image}:${tag}`)
              if (allowed.extent === 'all') assert.ok(expected)
              if (allowed.extent === 'none') assert.ok(!expected)
            }
          }
    }),
    { numRuns: 400 },
  )
})

test('who may do something with every image may do it with each, and who may with none may with none', () => {
  fc.assert(
    fc.property(fc.record(question), ({ targets, asker, anonymousAccess, forced }) => {
      const rules = compileAccessRules(targets, { anonymousAccess, forceAuthentication: forced, placeOf })
      for (const repository of keys)
        for (const action of actions) {
          const extent = rules.extentOf(principalOf(asker), action, repository)
          for (const image of images) {
            const allowed = rules.tagsOf(principalOf(asker), action, repository, image)
            if (extent === 'all') assert.equal(allowed.extent, 'all')
            if (extent === 'none') assert.equal(allowed.extent, 'none')
          }
        }
    }),
  )
})

test('a limit never adds, and takes away all that it does not name', () => {
  const limit = fc.record({ repository: fc.constantFrom('a', 'b', 'c', 'ANY'), pattern, actions: some })
  fc.assert(
    fc.property(fc.record({ ...question, limits: fc.array(limit, { maxLength: 2 }) }), (drawn) => {
      const { targets, asker, anonymousAccess, forced, limits } = drawn
      if (asker.name === undefined) return
      const rules = compileAccessRules(targets, { anonymousAccess, forceAuthentication: forced, placeOf })
      const whole = principalOf(asker)
      const limited: Principal = { kind: 'user', ...asker, name: asker.name, limits }
      for (const repository of keys)
        for (const image of images)
          for (const action of actions)
            for (const tag of tags) {
              const settings = { anonymousAccess, forced, kinds, virtual }
              assert.equal(
                rules.tagsOf(limited, action, repository, image).has(tag),
                naivelyMay({ ...asker, limits }, action, repository, `${image}/${tag}`, targets, settings),
              )
              if (repository === 'c') continue
              const named = limits.some((limit) => isNamed(limit, action, repository, `${image}/${tag}`))
              assert.equal(
                rules.tagsOf(limited, action, repository, image).has(tag),
                named && rules.tagsOf(whole, action, repository, image).has(tag),
              )
            }
    }),
  )
})

interface Limit {
  readonly repository: string
  readonly pattern: string
  readonly actions: readonly Action[]
}

function isNamed({ repository: where, pattern, actions: named }: Limit, action: Action, key: string, path: string) {
  const alone = target('limit', { repositories: [where], includes: [pattern], users: { me: named } })
  const me = { name: 'me', admin: false, groups: [] }
  return naivelyMay(me, action, key, path, [alone], { anonymousAccess: false, forced: [], kinds })
}

for (const [text, image, matching, others] of [
  ['**', 'team/app', ['1', 'x'], []],
  ['jfrog/ubuntu/**', 'jfrog/ubuntu', ['1', 'latest'], []],
  ['jfrog/ubuntu/**', 'jfrog/ubuntu2', [], ['1']],
  ['jfrog/ubuntu/', 'jfrog/ubuntu', ['1'], []],
  ['jfrog/ubuntu', 'jfrog/ubuntu', [], ['1', 'ubuntu']],
  ['jfrog/ubuntu', 'jfrog', ['ubuntu'], ['1']],
  ['**/latest/**', 'a/b', ['latest'], ['1']],
  ['*/latest', 'a', ['latest'], ['1']],
  ['*/latest', 'a/b', [], ['latest']],
  ['team/*/v?.?', 'team/app', ['v1.2'], ['v10.2', 'V1.2']],
] as const)
  test(`${text} matches ${image} with ${matching.join(', ') || 'no tag'}`, () => {
    const rules = compileAccessRules([target('t', { includes: [text], users: { anonymous: ['read'] } })], {
      anonymousAccess: true,
      forceAuthentication: false,
      placeOf,
    })
    const allowed = rules.tagsOf(anonymous, 'read', key('a'), parseImageName(image))
    for (const tag of matching) assert.equal(allowed.has(tag), true, tag)
    for (const tag of others) assert.equal(allowed.has(tag), false, tag)
  })

test('a pattern that could match nothing is none', () => {
  for (const good of ['**', 'a/', 'a/**/b', '*/*', 'a?_.-/x', '**/latest/**', '**/V1', 'a/**/RC-*', '**/'])
    assert.ok(isAntPattern(good), good)
  for (const bad of [
    '',
    '/',
    '/a',
    'a//b',
    'a/**b',
    'a b/*',
    'a/%2e',
    'ä/*',
    `a/${'a'.repeat(511)}`,
    'a,b/*',
    'a/b\n',
    './[a]',
  ])
    assert.ok(!isAntPattern(bad), bad)
  for (const oneSegment of ['secret', '*', 'v?', 'latest']) assert.ok(!isAntPattern(oneSegment), oneSegment)
  for (const upperCase of ['A/b', 'Team/**', 'team/App/', '**/A/**', 'a/B/*'])
    assert.ok(!isAntPattern(upperCase), upperCase)
})

test('of a pattern that is none it is said what names a tag and what an image', () => {
  assert.match(
    problemWithPattern('secret') ?? '',
    /^"secret" is not .*; a\/b is the tag b of the image a, a\/b\/\*\* the image a\/b$/,
  )
  assert.equal(problemWithPattern('team/secret/**'), undefined)
})

test('a pattern full of stars takes no longer for a text that nearly matches', () => {
  const stars = `${'*a'.repeat(200)}*b/**`
  const rules = compileAccessRules([target('t', { includes: [stars], users: { anonymous: ['read'] } })], {
    anonymousAccess: true,
    forceAuthentication: false,
    placeOf,
  })
  assert.equal(rules.tagsOf(anonymous, 'read', key('a'), parseImageName('a'.repeat(255))).extent, 'none')
})
