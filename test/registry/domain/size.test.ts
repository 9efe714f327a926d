import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesOf, formatSize, isSize } from '../../../registry/domain/size.ts'

test('a size is a number and its unit, of two or of ten', () => {
  assert.equal(bytesOf('0B'), 0)
  assert.equal(bytesOf('512 KiB'), 524_288)
  assert.equal(bytesOf('4MiB'), 4_194_304)
  assert.equal(bytesOf('10GiB'), 10_737_418_240)
  assert.equal(bytesOf('1TiB'), 1_099_511_627_776)
  assert.equal(bytesOf('100KB'), 100_000)
  assert.equal(bytesOf('3MB'), 3_000_000)
  assert.equal(bytesOf('500GB'), 500_000_000_000)
  assert.equal(bytesOf('2TB'), 2_000_000_000_000)
})

test('what else looks like a size is none, nor is one that a number cannot hold exactly', () => {
  for (const text of ['', '4', '4M', '4mib', '4 MIB', '-1GiB', '1.5GiB', '1e3B', 'GiB', '4  MiB', '4MiB ', '8192TiB'])
    assert.equal(isSize(text), false, text)
  assert.throws(() => bytesOf('4 Mib'), RangeError)
  assert.equal(isSize('8191TiB'), true)
})

test('people are shown the largest unit that is full, with one decimal', () => {
  assert.equal(formatSize(0), '0 B')
  assert.equal(formatSize(1023), '1023 B')
  assert.equal(formatSize(4_194_304), '4 MiB')
  assert.equal(formatSize(1.5 * 2 ** 30), '1.5 GiB')
  assert.equal(formatSize(123_456_789), '117.7 MiB')
  assert.equal(formatSize(5000 * 2 ** 40), '5000 TiB')
})
