import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  isPrivateAddress,
  lookupPublic,
  PrivateAddress,
} from '../../../../registry/repositories/upstream/private-addresses.ts'

const inside: readonly string[] = [
  '0.0.0.0',
  '10.0.0.1',
  '100.64.0.1',
  '127.0.0.1',
  '127.255.255.255',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  'fc00::1',
  'fd12:3456::1',
  'fe80::1',
  'fe80::1%eth0',
  'ff02::1',
  '::ffff:10.0.0.1',
  '::ffff:7f00:1',
  '64:ff9b::192.168.1.1',
  '64:ff9b::a00:1',
  '2002:7f00:1::',
]
const outside: readonly string[] = [
  '1.1.1.1',
  '9.255.255.255',
  '11.0.0.0',
  '100.128.0.1',
  '172.15.255.255',
  '172.32.0.0',
  '192.167.255.255',
  '198.20.0.1',
  '223.255.255.255',
  '2606:4700::1111',
  '::ffff:1.1.1.1',
  '64:ff9b::1.1.1.1',
]

for (const address of inside) test(`${address} leads inside`, () => assert.ok(isPrivateAddress(address)))
for (const address of outside) test(`${address} leads outside`, () => assert.ok(!isPrivateAddress(address)))

test('a name that leads inside is refused when it is looked up', async () => {
  for (const all of [true, false]) {
    const looked = Promise.withResolvers<Error | null>()
    lookupPublic('localhost', { all }, (error) => looked.resolve(error))
    const error = await looked.promise
    assert.ok(error instanceof PrivateAddress)
    assert.match(
      error.message,
      /^localhost leads to the private address (127\.0\.0\.1|::1), and refusePrivateAddresses/,
    )
  }
})
