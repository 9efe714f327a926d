import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isUserName } from '../../../registry/domain/user-name.ts'

test('letters of ASCII, digits and four signs make a user name, at most 64 of them', () => {
  for (const name of ['a', '7', 'Alice', 'alice.b_c-d@example.com', 'anonymous2', 'a'.repeat(64)])
    assert.ok(isUserName(name), name)
})

test('nothing else does, and nobody is called anonymous', () => {
  // U+212A, the sign for Kelvin, is a k in lower case.
  const none = ['', '-a', '.a', '@a', 'a b', 'a\n', 'a:b', 'a/b', 'ä', '\u212Aate', 'a'.repeat(65)]
  for (const name of [...none, 'anonymous', 'Anonymous']) assert.ok(!isUserName(name), name)
})
