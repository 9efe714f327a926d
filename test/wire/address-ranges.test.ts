import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileAddressRanges, isAddressRange } from '../../wire/address-ranges.ts'

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

test('addresses are found in ranges, IPv4 also in the form that an IPv6 socket shows', () => {
  const holds = compileAddressRanges(['10.0.0.0/8', '192.0.2.7', 'fd00::/8'], 'x')
  for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '192.0.2.7', 'fd00::1']) assert.ok(holds(address), address)
  for (const address of ['11.0.0.1', '192.0.2.8', 'fe80::1', '', 'nonsense']) assert.ok(!holds(address), address)
  assert.throws(
    () => compileAddressRanges(['10.0.0.0/33'], 'gateway.trustedProxies'),
    /gateway\.trustedProxies: "10\.0\.0\.0\/33"/,
  )
})
