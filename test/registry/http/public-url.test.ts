import assert from 'node:assert/strict'
import type { IncomingHttpHeaders } from 'node:http'
import { test } from 'node:test'
import { publicV2 } from '../../../registry/http/public-url.ts'
import { locateApi } from '../../../registry/http/api-address.ts'

const context = '/artifactory'

/** What the client would be given as the URL of `name`'s things, and as the realm, for a request to `path`. */
function seen(path: string, headers: IncomingHttpHeaders, trusted = true): { things: string; realm: string } {
  const address = locateApi('v2', path, context)
  assert.ok(address)
  const { origin, base, keyInNames } = publicV2({ trusted, headers }, address)
  return { things: `${origin}${base}/${keyInNames ? 'docker-local/' : ''}`, realm: `${origin}${base}/token` }
}

const byKey = `${context}/api/docker/docker-local/v2`
const rest = 'team/app/manifests/1'
const forwardedFor = { 'x-forwarded-for': '192.0.2.1', 'x-real-ip': '192.0.2.1' }

interface Row {
  readonly what: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly things: string
  readonly realm?: string
}

const rows: readonly Row[] = [
  {
    what: 'our gateway, by host',
    path: `${byKey}/${rest}`,
    headers: {
      ...forwardedFor,
      host: 'docker-local.company.com',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'docker-local.company.com',
      'x-forwarded-port': '443',
      'x-original-uri': `/v2/${rest}`,
    },
    things: 'https://docker-local.company.com/v2/',
  },
  {
    what: 'our gateway, by port',
    path: `${byKey}/${rest}`,
    headers: {
      ...forwardedFor,
      host: 'company.com:5001',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'company.com:5001',
      'x-forwarded-port': '5001',
      'x-original-uri': `/v2/${rest}?n=1`,
    },
    things: 'https://company.com:5001/v2/',
  },
  {
    what: 'our gateway, by path',
    path: `${byKey}/${rest}`,
    headers: {
      ...forwardedFor,
      host: 'localhost:8443',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'localhost:8443',
      'x-forwarded-port': '8443',
      'x-original-uri': `/v2/docker-local/${rest}`,
    },
    things: 'https://localhost:8443/v2/docker-local/',
    realm: 'https://localhost:8443/v2/token',
  },
  {
    what: 'our gateway, by path, without an image',
    path: `${context}/api/docker/v2/`,
    headers: { ...forwardedFor, host: 'localhost:8443', 'x-forwarded-proto': 'https', 'x-original-uri': '/v2/' },
    things: 'https://localhost:8443/v2/docker-local/',
    realm: 'https://localhost:8443/v2/token',
  },
  {
    what: 'our gateway, in the clear',
    path: `${byKey}/${rest}`,
    headers: { ...forwardedFor, host: 'localhost:8080', 'x-forwarded-proto': 'http', 'x-original-uri': `/v2/${rest}` },
    things: 'http://localhost:8080/v2/',
  },
  {
    what: 'our gateway, with an escape in what the client sent',
    path: `${byKey}/${rest}`,
    headers: {
      ...forwardedFor,
      host: 'h',
      'x-forwarded-proto': 'https',
      'x-original-uri': '/v2/docker%2Dlocal/team/app/manifests/1',
    },
    things: 'https://h/v2/docker-local/',
    realm: 'https://h/v2/token',
  },
  {
    what: 'the nginx recipe',
    path: `${byKey}/${rest}`,
    headers: {
      ...forwardedFor,
      host: 'artprod.company.com',
      'x-forwarded-proto': 'https',
      'x-original-uri': `/v2/${rest}`,
    },
    things: 'https://artprod.company.com/v2/',
  },
  {
    what: 'the nginx recipe on a port',
    path: `${byKey}/${rest}`,
    headers: {
      ...forwardedFor,
      host: 'artprod.company.com:444',
      'x-forwarded-proto': 'https',
      'x-original-uri': `/v2/${rest}`,
    },
    things: 'https://artprod.company.com:444/v2/',
  },
  {
    what: "Artifactory's generated nginx file, which says the port apart",
    path: `${byKey}/${rest}`,
    headers: { host: 'artprod.company.com', 'x-forwarded-proto': 'https', 'x-forwarded-port': '444' },
    things: 'https://artprod.company.com:444/v2/',
  },
  {
    what: 'the Apache recipe, which does not say the scheme',
    path: `${byKey}/${rest}`,
    headers: {
      host: 'artprod.company.com',
      'x-forwarded-for': '192.0.2.1',
      'x-forwarded-host': 'artprod.company.com',
      'x-forwarded-server': 'artprod.company.com',
    },
    things: 'https://artprod.company.com/v2/',
  },
  {
    what: 'the HAProxy recipe',
    path: `${byKey}/${rest}`,
    headers: { ...forwardedFor, host: 'company.com:5001', 'x-forwarded-proto': 'https' },
    things: 'https://company.com:5001/v2/',
  },
  {
    what: 'a proxy that adds its value to what the client sent',
    path: `${byKey}/${rest}`,
    headers: { host: 'h', 'x-forwarded-host': 'evil.example, good.example', 'x-forwarded-proto': 'http, https' },
    things: 'https://good.example/v2/',
  },
  {
    what: 'a proxy that sends a path which is none',
    path: `${byKey}/${rest}`,
    headers: { host: 'h', 'x-forwarded-proto': 'https', 'x-original-uri': '/v2/..%2f' },
    things: 'https://h/v2/',
  },
  {
    what: 'a proxy that has the API below another path',
    path: `${byKey}/${rest}`,
    headers: { host: 'h', 'x-forwarded-proto': 'https', 'x-original-uri': `/registry/v2/${rest}` },
    things: 'https://h/registry/v2/',
  },
  {
    what: 'no proxy, a trusted peer',
    path: `${byKey}/${rest}`,
    headers: { host: 'localhost:8081' },
    things: `http://localhost:8081${byKey}/`,
  },
  {
    what: 'no proxy, in path mode',
    path: `/v2/docker-local/${rest}`,
    headers: { host: 'localhost:8081' },
    things: 'http://localhost:8081/v2/docker-local/',
    realm: 'http://localhost:8081/v2/token',
  },
  {
    what: 'an IPv6 address as host',
    path: `${byKey}/`,
    headers: { host: '[::1]', 'x-forwarded-proto': 'https', 'x-forwarded-port': '8443' },
    things: 'https://[::1]:8443/v2/',
  },
]

for (const { what, path, headers, things, realm = `${things}token` } of rows)
  test(`${what}: the client sees its own URLs`, () => {
    assert.deepEqual(seen(path, headers), { things, realm })
  })

test('of a peer that is not trusted nothing is believed', () => {
  const headers = {
    ...forwardedFor,
    host: 'registry.company.com',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-port': '1',
    'x-original-uri': `/v2/${rest}`,
  }
  assert.equal(seen(`${byKey}/${rest}`, headers, false).things, `http://registry.company.com${byKey}/`)
})

for (const host of ['', 'evil"host', 'a b', 'host:port', 'a/b', 'a,b', undefined])
  test(`the host ${JSON.stringify(host)} gets into no URL`, () => {
    assert.throws(() => seen(byKey, host === undefined ? {} : { host }), { code: 'BAD_REQUEST' })
  })
