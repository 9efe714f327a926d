import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { selectBytes } from '../../wire/byte-range.ts'

const etag = '"sha256:abc"'
const ranged = (range: string, size = 10) => selectBytes('GET', { range }, etag, size)

const ranges: readonly (readonly [range: string, first: number, last: number])[] = [
  ['bytes=0-9', 0, 9],
  ['bytes=0-0', 0, 0],
  ['bytes=5-', 5, 9],
  ['bytes=-3', 7, 9],
  ['bytes=-100', 0, 9],
  ['bytes=5-100', 5, 9],
  ['BYTES=5-6', 5, 6],
  ['bytes= 5-6 ', 5, 6],
  ['bytes=0-99999999999999999999', 0, 9],
]
for (const [range, first, last] of ranges) {
  test(`${range} of 10 bytes is ${first} to ${last}`, () =>
    assert.deepEqual(ranged(range), { status: 206, range: { first, last } }))
}

for (const range of [
  'bytes=10-',
  'bytes=10-20',
  'bytes=6-5',
  'bytes=-0',
  'bytes=-',
  'bytes=a-b',
  'bytes=99999999999999999999-',
]) {
  test(`${range} of 10 bytes cannot be satisfied`, () => assert.deepEqual(ranged(range), { status: 416 }))
}

for (const range of ['bytes=0-', 'bytes=-5', 'bytes=0-0']) {
  test(`${range} of nothing cannot be satisfied`, () => assert.deepEqual(ranged(range, 0), { status: 416 }))
}

for (const range of ['bytes=0-1,3-4', 'bytes=0-1, -2', 'items=0-1', '0-1', '']) {
  test(`"${range}" is answered with the whole`, () => assert.deepEqual(ranged(range), { status: 200 }))
}

test('a range is a matter of GET alone', () => {
  assert.deepEqual(selectBytes('HEAD', { range: 'bytes=0-1' }, etag, 10), { status: 200 })
})

test('who has the bytes already is told so, before any range', () => {
  for (const known of [etag, '*', `"other", ${etag}`, `W/${etag}`])
    assert.deepEqual(selectBytes('GET', { 'if-none-match': known, range: 'bytes=0-1' }, etag, 10), { status: 304 })
  assert.deepEqual(selectBytes('GET', { 'if-none-match': '"other"' }, etag, 10), { status: 200 })
})

test('a range of bytes that have changed since is answered with the whole', () => {
  const range = 'bytes=0-1'
  assert.equal(selectBytes('GET', { 'if-range': etag, range }, etag, 10).status, 206)
  for (const other of ['"other"', `W/${etag}`, 'Wed, 21 Oct 2015 07:28:00 GMT'])
    assert.equal(selectBytes('GET', { 'if-range': other, range }, etag, 10).status, 200)
})

test('a precondition that fails comes before all else', () => {
  const range = 'bytes=0-1'
  assert.equal(selectBytes('GET', { 'if-match': '"other"', 'if-none-match': etag, range }, etag, 10).status, 412)
  assert.equal(selectBytes('GET', { 'if-match': `W/${etag}` }, etag, 10).status, 412)
  assert.equal(selectBytes('GET', { 'if-match': etag, range }, etag, 10).status, 206)
})

test('a part always lies within the bytes', () => {
  const size = fc.oneof(fc.nat(20), fc.nat(Number.MAX_SAFE_INTEGER))
  const position = fc.oneof(fc.constant(''), fc.nat(25).map(String), fc.bigInt({ min: 0n }).map(String))
  fc.assert(
    fc.property(position, position, size, (from, to, size) => {
      const selected = ranged(`bytes=${from}-${to}`, size)
      if (selected.status !== 206) return assert.equal(selected.status, 416)
      const { first, last } = selected.range
      assert.ok(0 <= first && first <= last && last < size)
    }),
  )
})

test('a part that is there is given exactly', () => {
  const part = fc
    .tuple(fc.nat(1000), fc.nat(1000), fc.nat(1000))
    .map(([first, more, rest]) => ({ first, last: first + more, size: first + more + 1 + rest }))
  fc.assert(
    fc.property(part, ({ first, last, size }) => {
      assert.deepEqual(ranged(`bytes=${first}-${last}`, size), { status: 206, range: { first, last } })
      assert.deepEqual(ranged(`bytes=${first}-`, size), { status: 206, range: { first, last: size - 1 } })
      assert.deepEqual(ranged(`bytes=-${size - first}`, size), { status: 206, range: { first, last: size - 1 } })
    }),
  )
})

test('no field, however broken, is more than refused', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (range, ifRange, ifNoneMatch) => {
      const headers = { range: `bytes=${range}`, 'if-range': ifRange, 'if-none-match': ifNoneMatch }
      assert.ok([200, 206, 304, 416].includes(selectBytes('GET', headers, etag, 10).status))
    }),
  )
})
