import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { BadRequestTarget, parseRequestTarget } from '../../wire/request-target.ts'

const accepted: readonly (readonly [raw: string, path: string, query: string])[] = [
  ['/', '/', ''],
  ['/v2/', '/v2/', ''],
  ['/v2/team/app/manifests/latest', '/v2/team/app/manifests/latest', ''],
  ['/v2/a/blobs/sha256:0123', '/v2/a/blobs/sha256:0123', ''],
  ['/v2/a/blobs/sha256%3A0123', '/v2/a/blobs/sha256:0123', ''],
  ['/v2/a/blobs/uploads/?digest=sha256%3A0123&x=%2F', '/v2/a/blobs/uploads/', '?digest=sha256%3A0123&x=%2F'],
  ['/%76%32/', '/v2/', ''],
  ['/caf%c3%a9', '/caf%C3%A9', ''],
  ['/100%25', '/100%25', ''],
  ['/%252f', '/%252f', ''],
  ['/...', '/...', ''],
  ['/.hidden/..b', '/.hidden/..b', ''],
  ['/a?', '/a', '?'],
  ['/a?b?c', '/a', '?b?c'],
]

for (const [raw, path, query] of accepted) {
  test(`${raw} is the path ${path}`, () => assert.deepEqual(parseRequestTarget(raw), { path, query }))
}

const refused: readonly string[] = [
  '',
  '*',
  'v2/',
  'http://registry.example/v2/',
  'registry.example:443',
  '?a=b',
  '//v2/',
  '/v2//a',
  '/v2/a//',
  '/.',
  '/..',
  '/../etc/passwd',
  '/v2/./a',
  '/v2/../a',
  '/v2/%2e%2e/a',
  '/v2/.%2E/a',
  '/v2/%2e',
  '/v2/a%2fb',
  '/v2/a%2Fb',
  '/v2/a%5cb',
  '/v2/a\\b',
  '/v2/a%00b',
  '/v2/a\u0000b',
  '/v2/a%0d%0ab',
  '/v2/a\r\nb',
  '/v2/a%7f',
  '/v2/a\u007fb',
  '/v2/a b',
  '/v2/a"b',
  '/v2/<a>',
  '/v2/café',
  '/v2/a%',
  '/v2/a%4',
  '/v2/a%zz',
  '/v2/#a',
  '/v2/a?b#c',
  '/v2/a?b\nc',
]

for (const raw of refused) {
  test(`${JSON.stringify(raw)} is refused`, () => assert.throws(() => parseRequestTarget(raw), BadRequestTarget))
}

const rawTarget = fc.oneof(
  fc.string(),
  fc
    .array(
      fc.constantFrom('/', '.', '..', '%2e', '%2F', '%5c', '%41', '%c3', '%25', '%00', '%', '?', '#', 'a', ':', ' '),
    )
    .map((parts) => `/${parts.join('')}`),
)

test('what was accepted is accepted again, as it is', () => {
  fc.assert(
    fc.property(rawTarget, (raw) => {
      const once = parsed(raw)
      if (once) assert.deepEqual(parseRequestTarget(once.path + once.query), once)
    }),
    { numRuns: 2000 },
  )
})

test('an accepted path has no dot segment, empty segment, slash in disguise or odd character', () => {
  fc.assert(
    fc.property(rawTarget, (raw) => {
      const path = parsed(raw)?.path
      if (path === undefined) return
      assert.match(path, /^[A-Za-z0-9\-._~!$&'()*+,;=:@%/]+$/)
      assert.doesNotMatch(path, /%2f|%5c|%00|%(?![0-9A-F]{2})/)
      const segments = path.slice(1).split('/')
      for (const segment of segments) assert.ok(segment !== '.' && segment !== '..')
      for (const segment of segments.slice(0, -1)) assert.notEqual(segment, '')
    }),
    { numRuns: 2000 },
  )
})

function parsed(raw: string) {
  try {
    return parseRequestTarget(raw)
  } catch (error) {
    assert.ok(error instanceof BadRequestTarget)
    return undefined
  }
}
