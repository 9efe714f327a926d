import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDuration, milliseconds } from '../../../registry/domain/duration.ts'

test('a duration is a number and one of five units', () => {
  const known = { '0s': 0, '500ms': 500, '90s': 90_000, '15m': 900_000, '24h': 86_400_000, '7 d': 604_800_000 }
  for (const [text, expected] of Object.entries(known)) {
    assert.ok(isDuration(text), text)
    assert.equal(milliseconds(text), expected, text)
  }
})

test('what is no duration is refused, with the text', () => {
  for (const text of [
    '',
    '7',
    'd',
    '1w',
    '1.5h',
    '-1s',
    '1h30m',
    ' 1s',
    '1s ',
    '1  s',
    '1S',
    '9999999999s',
    'forever',
  ]) {
    assert.ok(!isDuration(text), text)
    assert.throws(() => milliseconds(text), { name: 'RangeError', message: `"${text}" is no duration` })
  }
})
