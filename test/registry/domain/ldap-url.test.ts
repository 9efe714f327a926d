import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLoopback, parseLdapUrl } from '../../../registry/domain/ldap-url.ts'

test('a directory is at a host and a port, with TLS from the start or without', () => {
  assert.deepEqual(parseLdapUrl('ldap://ldap.test'), { tls: false, host: 'ldap.test', port: 389 })
  assert.deepEqual(parseLdapUrl('ldaps://ldap.test/'), { tls: true, host: 'ldap.test', port: 636 })
  assert.deepEqual(parseLdapUrl('LDAPS://[2001:db8::1]:1636'), { tls: true, host: '2001:db8::1', port: 1636 })
})

test('anything else is no address of one', () => {
  const none = ['ldap://', 'ldap.test', 'http://a', 'ldap://a:0', 'ldap://a:99999', 'ldap://a/o=us', 'ldap://u:p@a']
  for (const text of none) assert.equal(parseLdapUrl(text), undefined, text)
})

test('loopback is this machine, and no name that only looks like it', () => {
  for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '::1']) assert.ok(isLoopback(host), host)
  for (const host of ['127.0.0.1.test', 'localhost.test', '10.0.0.1', '::2']) assert.ok(!isLoopback(host), host)
})
