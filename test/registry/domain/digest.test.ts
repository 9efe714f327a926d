import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { algorithmOf, digestOf, encodedOf, isDigest, parseDigest } from '../../../registry/domain/digest.ts'

const hex = (length: number) =>
  fc.string({ minLength: length, maxLength: length, unit: fc.constantFrom(...'0123456789abcdef') })
const digest = fc.oneof(
  hex(64).map((encoded) => ({ algorithm: 'sha256' as const, encoded })),
  hex(128).map((encoded) => ({ algorithm: 'sha512' as const, encoded })),
)

test('a digest is its algorithm and its hexadecimal part', () => {
  fc.assert(
    fc.property(digest, ({ algorithm, encoded }) => {
      const parsed = parseDigest(`${algorithm}:${encoded}`)
      assert.equal(algorithmOf(parsed), algorithm)
      assert.equal(encodedOf(parsed), encoded)
      assert.equal(digestOf(algorithm, encoded), parsed)
    }),
  )
})

const hex64 = '0123456789abcdef'.repeat(4)
const noDigests: readonly string[] = [
  '',
  'sha256',
  'sha256:',
  hex64,
  `:${hex64}`,
  'sha256:baddigeststring',
  `sha256:${hex64.slice(1)}`,
  `sha256:${hex64}0`,
  `sha256:${hex64.toUpperCase()}`,
  `SHA256:${hex64}`,
  `sha512:${hex64}`,
  `md5:${hex64.slice(32)}`,
  `sha384:${hex64}${hex64.slice(32)}`,
  `sha256:${hex64}\n`,
  ` sha256:${hex64}`,
  `sha256:../../${hex64.slice(6)}`,
]
for (const text of noDigests) {
  test(`${JSON.stringify(text)} is not a digest`, () => {
    assert.equal(isDigest(text), false)
    assert.throws(() => parseDigest(text), { code: 'DIGEST_INVALID', detail: { digest: text } })
  })
}

test('whatever is said to be a digest is safe in a path', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        digest.map(({ algorithm, encoded }) => `${algorithm}:${encoded}`),
      ),
      (text) => {
        if (isDigest(text)) assert.match(text, /^sha(256|512):[0-9a-f]+$/)
      },
    ),
  )
})
