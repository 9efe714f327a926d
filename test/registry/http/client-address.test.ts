import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { IncomingHttpHeaders, Server } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { clientAddress } from '../../../registry/http/client-address.ts'
import type { Context } from '../../../registry/http/context.ts'
import { Peers } from '../../../registry/http/peers.ts'

const peers = new Peers(['127.0.0.1', '::1', '10.0.0.0/8'])

/** Of a request over the unix socket, or from an address. */
function seen(peer: string, headers: IncomingHttpHeaders): string | undefined {
  const server = new EventEmitter() as Server
  peers.watch(server, peer === 'unix' ? 'unix' : 'tcp')
  const socket = Object.defineProperty(new Socket(), 'remoteAddress', { value: peer, configurable: true })
  server.emit('connection', socket)
  Object.defineProperty(socket, 'remoteAddress', { value: undefined }) // as when the client has gone
  const ctx = { req: { headers, socket }, state: { trust: peers.trustOf(socket) } }
  return clientAddress(ctx as unknown as Context, peers)
}

const spoofed = { 'x-forwarded-for': '198.51.100.1', 'x-real-ip': '198.51.100.1' }

test('of a stranger it is where the connection comes from, whatever is said', () => {
  assert.equal(seen('203.0.113.9', spoofed), '203.0.113.9')
  assert.equal(seen('::ffff:203.0.113.9', spoofed), '203.0.113.9')
  assert.equal(seen('2001:db8::9', {}), '2001:db8::9')
})

for (const [what, forwardedFor, expected] of [
  ['one address', '203.0.113.9', '203.0.113.9'],
  ['what a client made up before it', '198.51.100.1, 203.0.113.9', '203.0.113.9'],
  ['proxies behind it', '198.51.100.1,203.0.113.9 , 10.1.2.3, ::1', '203.0.113.9'],
  ['a proxy of ours that a client made up', '10.1.2.3, 203.0.113.9', '203.0.113.9'],
  ['a proxy in the form of IPv6', '203.0.113.9, ::ffff:10.1.2.3', '203.0.113.9'],
  ['no address before it', 'unknown, _hidden,, 1.2.3.4.5, 203.0.113.9, ::1', '203.0.113.9'],
  ['a port', '203.0.113.9:4711', '203.0.113.9'],
  ['brackets', '[2001:db8::9]', '2001:db8::9'],
  ['brackets and a port', '[2001:db8::9]:4711', '2001:db8::9'],
  ['a long form', '2001:0DB8:0:0:0:0:0:9', '2001:db8::9'],
  ['IPv4 in IPv6', '::ffff:203.0.113.9', '203.0.113.9'],
  ['IPv4 in IPv6, in hexadecimal', '[::FFFF:cb00:7109]:4711', '203.0.113.9'],
] as const)
  test(`X-Forwarded-For with ${what} is understood of those we trust`, () => {
    for (const peer of ['unix', '127.0.0.1', '::ffff:10.9.9.9', '::1'])
      assert.equal(seen(peer, { 'x-forwarded-for': forwardedFor, 'x-real-ip': '192.0.2.7' }), expected)
  })

for (const last of ['unknown', '_hidden', '', '1.2.3', '1.2.3.4.5'])
  test(`what stands before "${last}" in X-Forwarded-For may be made up, and counts for nothing`, () => {
    for (const hops of ['', ', 10.1.2.3']) {
      const forwarded = { 'x-forwarded-for': `198.51.100.1, ${last}${hops}` }
      assert.equal(seen('unix', { ...forwarded, 'x-real-ip': '192.0.2.7' }), '192.0.2.7')
      assert.equal(seen('127.0.0.1', forwarded), undefined)
    }
  })

test('without a client in X-Forwarded-For it is X-Real-IP, and without that nobody knows', () => {
  for (const none of [{}, { 'x-forwarded-for': '' }, { 'x-forwarded-for': 'unknown' }, { 'x-forwarded-for': '::1' }]) {
    assert.equal(seen('unix', { ...none, 'x-real-ip': '::ffff:192.0.2.7' }), '192.0.2.7')
    assert.equal(seen('unix', { ...none, 'x-real-ip': '127.0.0.1' }), '127.0.0.1')
    assert.equal(seen('unix', { ...none, 'x-real-ip': '192.0.2.7, 192.0.2.8' }), undefined)
    assert.equal(seen('127.0.0.1', none), undefined)
  }
})

test('nothing that a client writes before what our proxy adds makes a difference', () => {
  const written = fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.constantFrom(',', '10.0.0.1, ', '['))
  fc.assert(
    fc.property(fc.array(written), fc.constantFrom('', ', 10.1.1.1'), (parts, hop) => {
      assert.equal(seen('unix', { 'x-forwarded-for': `${parts.join(',')}, 203.0.113.9${hop}` }), '203.0.113.9')
    }),
  )
})
