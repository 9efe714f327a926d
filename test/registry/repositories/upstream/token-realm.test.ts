import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mayHaveCredentials } from '../../../../registry/repositories/upstream/token-realm.ts'

const table: readonly (readonly [
  upstream: string,
  realm: string,
  may: 'may' | 'may not',
  ...trusted: readonly string[],
])[] = [
  ['https://registry-1.docker.io', 'https://auth.docker.io/token', 'may'],
  ['https://ghcr.io', 'https://ghcr.io/token', 'may'],
  ['https://registry.gitlab.com', 'https://gitlab.com/jwt/auth', 'may'],
  ['https://r.example.co.uk', 'https://auth.example.co.uk', 'may'],
  ['https://r.example.com', 'https://a.b.c.example.com', 'may'],
  ['https://r.example.com:5000', 'https://r.example.com:5001/token', 'may'],
  ['https://R.Example.com', 'https://AUTH.EXAMPLE.COM', 'may'],
  ['http://r.example.com', 'https://auth.example.com', 'may'],
  ['http://r.example.com', 'http://auth.example.com', 'may'],

  ['https://r.example.com', 'http://r.example.com', 'may not'],
  ['https://r.example.com', 'https://example.org', 'may not'],
  ['https://r.example.com', 'https://r.example.com.evil.org', 'may not'],
  ['https://r.example.com', 'https://evilexample.com', 'may not'],
  ['https://r.example.com', 'ftp://r.example.com', 'may not'],
  // Anybody can have a name there.
  ['https://one.co.uk', 'https://other.co.uk', 'may not'],
  ['https://one.github.io', 'https://other.github.io', 'may not'],
  ['https://one.s3.amazonaws.com', 'https://other.s3.amazonaws.com', 'may not'],
  ['https://com', 'https://example.com', 'may not'],

  ['http://127.0.0.1:5000', 'http://127.0.0.1:5001/token', 'may'],
  ['http://127.0.0.1', 'http://127.0.0.2', 'may not'],
  ['http://10.1.2.3', 'http://10.1.2.4', 'may not'],
  ['http://[::1]', 'http://[::1]:5001', 'may'],
  ['http://[::1]', 'http://[::2]', 'may not'],
  ['http://localhost:5000', 'http://localhost:5001', 'may'],
  ['http://localhost', 'http://127.0.0.1', 'may not'],
  ['http://a.localhost', 'http://b.localhost', 'may not'],
  ['http://registry', 'http://registry/token', 'may'],
  ['http://registry', 'http://auth', 'may not'],

  ['https://r.example.com', 'https://login.example.org', 'may', 'login.example.org'],
  ['https://r.example.com', 'https://login.example.org:444', 'may', 'login.example.org:444'],
  ['https://r.example.com', 'https://login.example.org:444', 'may not', 'login.example.org'],
  ['https://r.example.com', 'https://sub.login.example.org', 'may not', 'login.example.org'],
  ['https://r.example.com', 'http://login.example.org', 'may not', 'login.example.org'],
  ['http://127.0.0.1:5000', 'http://127.0.0.2:5001', 'may', '127.0.0.2:5001'],
]

for (const [upstream, realm, may, ...tokenRealms] of table) {
  const besides = tokenRealms.length > 0 ? `, which trusts ${tokenRealms.join()},` : ''
  test(`${realm} ${may} see the credentials for ${upstream}${besides}`, () => {
    assert.equal(mayHaveCredentials(new URL(realm), { upstream: new URL(upstream), tokenRealms }), may === 'may')
  })
}
