import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { isRepositoryKey, isTag, parseImageName, parseReference, parseTag } from '../../../registry/domain/names.ts'

for (const name of [
  'a',
  'hello-world',
  'a/b/c',
  'jfrog/ubuntu',
  'a.b',
  'a_b',
  'a__b',
  'a---b',
  '0/1',
  `a/${'b'.repeat(253)}`,
]) {
  test(`${name.slice(0, 20)} is an image name`, () => assert.equal(parseImageName(name), name))
}

const noImages = [
  '',
  '/',
  'a/',
  '/a',
  'a//b',
  'A',
  'a/B',
  '-a',
  'a-',
  'a..b',
  'a___b',
  '.',
  '..',
  'a/../b',
  'a:b',
  'a@b',
  'a b',
  'é',
  'a\n',
  'a'.repeat(256),
]
for (const name of noImages) {
  test(`${JSON.stringify(name.slice(0, 20))} is not an image name`, () =>
    assert.throws(() => parseImageName(name), { code: 'NAME_INVALID', detail: { name } }))
}

for (const tag of ['a', 'latest', 'V1.0', '_', '1', 'a-b_c.d', 'x'.repeat(128)]) {
  test(`${tag.slice(0, 20)} is a tag`, () => assert.equal(parseTag(tag), tag))
}

for (const tag of ['', '.a', '-a', 'a:b', 'a/b', 'a b', 'a\n', 'é', 'x'.repeat(129)]) {
  test(`${JSON.stringify(tag.slice(0, 20))} is not a tag`, () =>
    assert.throws(() => parseTag(tag), { code: 'TAG_INVALID', detail: { tag } }))
}

for (const key of ['docker-local', 'a', '0', 'a.b', 'a_b-c', 'k'.repeat(64)]) {
  test(`${key.slice(0, 20)} is a repository key`, () => assert.equal(isRepositoryKey(key), true))
}

for (const key of ['', 'v1', 'v2', 'api', 'token', 'Docker', 'a/b', '-a', 'a-', 'a\n', '..', 'k'.repeat(65)]) {
  test(`${JSON.stringify(key.slice(0, 20))} is not a repository key`, () => assert.equal(isRepositoryKey(key), false))
}

test('a reference is a digest when it has a colon, and else a tag', () => {
  const digest = `sha256:${'0'.repeat(64)}`
  assert.deepEqual(parseReference(digest), { digest })
  assert.deepEqual(parseReference('latest'), { tag: 'latest' })
  assert.deepEqual(parseReference('sha256'), { tag: 'sha256' })
  assert.throws(() => parseReference('sha256:baddigeststring'), { code: 'DIGEST_INVALID' })
  assert.throws(() => parseReference('-latest'), { code: 'TAG_INVALID' })
})

const text = fc.oneof(
  fc.string(),
  fc.array(fc.constantFrom('a', 'B', '0', '.', '-', '_', '/', ':', '\n')).map((parts) => parts.join('')),
)

test('no accepted name leads out of where it stands', () => {
  fc.assert(
    fc.property(text, (text) => {
      const image = orUndefined(() => parseImageName(text))
      for (const segment of image?.split('/') ?? []) assert.match(segment, /^[a-z0-9][a-z0-9._-]*$/)
      if (isTag(text)) assert.match(text, /^[A-Za-z0-9_][A-Za-z0-9._-]*$/)
      if (isRepositoryKey(text)) assert.match(text, /^[a-z0-9][a-z0-9._-]*$/)
    }),
    { numRuns: 1000 },
  )
})

test('a long name with many separators is judged at once', () => {
  const started = performance.now()
  assert.throws(() => parseImageName(`${'a-'.repeat(127)}!`), { code: 'NAME_INVALID' })
  assert.equal(isRepositoryKey(`${'a-'.repeat(31)}!`), false)
  assert.ok(performance.now() - started < 1000)
})

function orUndefined<value>(attempt: () => value): value | undefined {
  try {
    return attempt()
  } catch {
    return undefined
  }
}
