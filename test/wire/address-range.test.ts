import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAddressRange } from '../../wire/address-range.ts'

test('an address and a CIDR range of either family are ranges of addresses', () => {
  for (const text of ['127.0.0.1', '::1', '10.0.0.0/8', '0.0.0.0/0', '192.0.2.7/32', 'fd00::/8', '::1/128'])
    assert.ok(isAddressRange(text), text)
})

test('a name, a range that is too narrow, and rubbish are none', () => {
  for (const text of [
    '',
    'proxy.internal',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    '10.0.0',
  ])
    assert.ok(!isAddressRange(text), text)
})
