import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { gatewaySection, type GatewayConfig } from '../../gateway/config.ts'
import { explainRoute } from '../../gateway/explain.ts'
import { compileRoutes, matchRoute, type Match } from '../../gateway/routes.ts'

const config = gatewaySection.parse({
  listeners: [
    { port: 8443 },
    { port: 5001, repository: 'docker-local' },
    { port: 5002, v1: 'docker-v1', v2: 'docker-local' },
    { port: 5003, repositoryFrom: 'path' },
    { port: 5004, v2: 'docker-local' },
    { port: 8080, tls: false, redirect: 'https' },
  ],
  hosts: {
    'artprod.company.com': 'docker-local',
    '*.docker.company.com': { repositoryFrom: 'host' },
    'special.docker.company.com': 'docker-special',
    'acme-docker-*.company.com': { repositoryFrom: 'host' },
    '*.company.com': { repositoryFrom: 'path' },
    'registry.company.com': { repositoryFrom: 'path' },
    'legacy.company.com': { v1: 'docker-v1', v2: 'docker-local' },
    '10.1.2.3': 'docker-local',
    '::1': 'docker-local',
  },
})

function match(given: GatewayConfig, port: number, host: string, path: string): Match {
  const listener = given.listeners.find((one) => one.port === port)
  assert.ok(listener)
  return matchRoute(compileRoutes(given), { listener, host, path })
}

/** The key and the upstream path, or what kind of end the request finds. */
function short(found: Match): string {
  switch (found.kind) {
    case 'repository':
      return `${found.key ?? '-'} ${found.upstreamPath}`
    case 'through':
      return `through ${found.upstreamPath}`
    case 'unknownHost':
    case 'nothingHere':
      return found.kind
  }
}

const api = '/artifactory/api/docker'
const table: readonly (readonly [number, string, string, string])[] = [
  // By exact host.
  [8443, 'artprod.company.com', '/v2/', `docker-local ${api}/docker-local/v2/`],
  [8443, 'artprod.company.com', '/v2', `docker-local ${api}/docker-local/v2/`],
  [8443, 'artprod.company.com', '/v2/a/b/manifests/1', `docker-local ${api}/docker-local/v2/a/b/manifests/1`],
  [8443, 'artprod.company.com', '/v2/token', `docker-local ${api}/docker-local/v2/token`],
  [8443, 'artprod.company.com', '/v1/_ping', `docker-local ${api}/docker-local/v1/_ping`],
  [8443, 'ARTPROD.Company.com:8443', '/v2/', `docker-local ${api}/docker-local/v2/`],
  [8443, 'artprod.company.com.', '/v2/', `docker-local ${api}/docker-local/v2/`],
  [8443, '10.1.2.3:8443', '/v2/', `docker-local ${api}/docker-local/v2/`],
  [8443, '[::1]:8443', '/v2/', `docker-local ${api}/docker-local/v2/`],
  // By pattern: the longest literal part wins, an exact name before any.
  [8443, 'docker-dev.docker.company.com', '/v2/x/tags/list', `docker-dev ${api}/docker-dev/v2/x/tags/list`],
  [8443, 'special.docker.company.com', '/v2/', `docker-special ${api}/docker-special/v2/`],
  [8443, 'acme-docker-docker-local.company.com', '/v2/', `docker-local ${api}/docker-local/v2/`],
  [8443, 'other.company.com', '/v2/key/x/tags/list', `key ${api}/key/v2/x/tags/list`],
  [8443, 'a.b.docker.company.com', '/v2/', 'unknownHost'],
  [8443, '.docker.company.com', '/v2/', 'unknownHost'],
  [8443, 'docker.company.com.evil.example', '/v2/', 'unknownHost'],
  [8443, 'under_score-.docker.company.com', '/v2/', 'unknownHost'],
  [8443, 'company.com', '/v2/', 'unknownHost'],
  // By first path segment.
  [8443, 'registry.company.com', '/v2/docker-local/x/manifests/1', `docker-local ${api}/docker-local/v2/x/manifests/1`],
  [8443, 'registry.company.com', '/v2/docker-local/', `docker-local ${api}/docker-local/v2/`],
  [8443, 'registry.company.com', '/v2/docker-local', `docker-local ${api}/docker-local/v2/`],
  [8443, 'registry.company.com', '/v2/', `- ${api}/v2/`],
  [8443, 'registry.company.com', '/v2/token', `- ${api}/v2/token`],
  [8443, 'registry.company.com', '/v2/_catalog', `- ${api}/v2/_catalog`],
  [8443, 'registry.company.com', '/v2/auth', `- ${api}/v2/auth`],
  [8443, 'registry.company.com', '/v1/_ping', `- ${api}/v1/_ping`],
  [8443, 'registry.company.com', '/v1/search', `- ${api}/v1/search`],
  [8443, 'registry.company.com', '/v2/UPPER/x/manifests/1', 'nothingHere'],
  // By port, whatever the host.
  [5001, 'anything.example:5001', '/v2/x/manifests/1', `docker-local ${api}/docker-local/v2/x/manifests/1`],
  [5001, 'registry.company.com', '/v2/x/manifests/1', `docker-local ${api}/docker-local/v2/x/manifests/1`],
  [5003, 'anything.example', '/v2/key/x/manifests/1', `key ${api}/key/v2/x/manifests/1`],
  // By API version.
  [5002, 'a', '/v1/_ping', `docker-v1 ${api}/docker-v1/v1/_ping`],
  [5002, 'a', '/v2/', `docker-local ${api}/docker-local/v2/`],
  [8443, 'legacy.company.com', '/v1/users/', `docker-v1 ${api}/docker-v1/v1/users/`],
  [5004, 'a', '/v2/', `docker-local ${api}/docker-local/v2/`],
  [5004, 'a', '/v1/_ping', 'nothingHere'],
  // Below the context path everything passes, elsewhere nothing.
  [8443, 'artprod.company.com', '/artifactory/api/storage/x', 'through /artifactory/api/storage/x'],
  [8443, 'artprod.company.com', '/artifactory', 'through /artifactory'],
  [8443, 'artprod.company.com', '/artifactoryx/y', 'nothingHere'],
  [8443, 'artprod.company.com', '/', 'nothingHere'],
  [8443, 'artprod.company.com', '/v3/', 'nothingHere'],
  [8443, 'artprod.company.com', '/v22/', 'nothingHere'],
  [8443, 'nowhere.example', '/artifactory/api/storage/x', 'unknownHost'],
  [8443, 'not a host', '/v2/', 'unknownHost'],
]

for (const [port, host, path, expected] of table) {
  test(`port ${port}, host ${host}, path ${path}: ${expected}`, () => {
    assert.equal(short(match(config, port, host, path)), expected)
  })
}

const foreign: readonly (readonly [string, string, string, string, string])[] = [
  [
    '/{api}/{key}/{path}',
    'artprod.company.com',
    '/v2/x/manifests/1',
    'docker-local /v2/docker-local/x/manifests/1',
    '/v2/docker-local/',
  ],
  ['/{api}/{key}/{path}', 'artprod.company.com', '/v2/', 'docker-local /v2/', '/v2/'],
  ['/{api}/{key}/{path}', 'artprod.company.com', '/v2/_catalog', 'docker-local /v2/_catalog', '/v2/'],
  ['/{api}/{key}/{path}', 'artprod.company.com', '/v2/token', 'docker-local /v2/token', '/v2/'],
  [
    '/{api}/{key}/{path}',
    'artprod.company.com',
    '/v2/token/manifests/1',
    'docker-local /v2/docker-local/token/manifests/1',
    '/v2/docker-local/',
  ],
  [
    '/v2/{key}/{path}',
    'artprod.company.com',
    '/v2/x/tags/list',
    'docker-local /v2/docker-local/x/tags/list',
    '/v2/docker-local/',
  ],
  ['/v2/{key}/{path}', 'artprod.company.com', '/v2/', 'docker-local /v2/', '/v2/'],
  ['/{api}/{path}', 'artprod.company.com', '/v2/x/tags/list', 'docker-local /v2/x/tags/list', '/v2/'],
  ['/{api}/{key}/{path}', 'registry.company.com', '/v2/key/x/tags/list', 'key /v2/key/x/tags/list', '/v2/key/'],
  ['/{api}/{key}/{path}', 'registry.company.com', '/v2/', '- /v2/', '/v2/'],
  [
    '/repository/{key}/{api}/{path}',
    'artprod.company.com',
    '/v2/',
    'docker-local /repository/docker-local/v2/',
    '/repository/docker-local/v2/',
  ],
]

for (const [rewrite, host, path, expected, upstreamPrefix] of foreign) {
  test(`rewrite ${rewrite}, host ${host}, path ${path}: ${expected}`, () => {
    const found = match({ ...config, rewrite }, 8443, host, path)
    assert.equal(short(found), expected)
    assert.ok(found.kind === 'repository')
    assert.equal(found.upstreamPrefix, upstreamPrefix)
  })
}

test('rewrite none lets every path of a known host pass as it is', () => {
  for (const path of ['/', '/v2/', '/v2/a/manifests/1', '/ui/x']) {
    assert.equal(short(match({ ...config, rewrite: 'none' }, 8443, 'artprod.company.com', path)), `through ${path}`)
  }
  assert.equal(short(match({ ...config, rewrite: 'none' }, 8443, 'nowhere.example', '/')), 'unknownHost')
})

test('without a context path everything but the Docker API passes as it is', () => {
  const bare = { ...config, context: '', rewrite: '/{api}/{key}/{path}' }
  assert.equal(short(match(bare, 8443, 'artprod.company.com', '/healthz')), 'through /healthz')
})

test('replacing the upstream prefix by the public one gives the path that the client asked for', () => {
  const label = fc.stringMatching(/^[a-z0-9]{1,8}(-[a-z0-9]{1,8})?$/)
  const rest = fc.array(label, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'))
  const host = fc.oneof(
    label.map((key) => `${key}.docker.company.com`),
    fc.constantFrom('registry.company.com', 'artprod.company.com'),
  )
  const rewrite = fc.constantFrom(
    '{context}/api/docker/{key}/{api}/{path}',
    '/{api}/{key}/{path}',
    '/x/{key}/{api}/{path}',
  )
  fc.assert(
    fc.property(host, rest, rewrite, fc.constantFrom('v1', 'v2'), (name, inside, template, version) => {
      const path = `/${version}/${inside}`
      const found = match({ ...config, rewrite: template }, 8443, name, path)
      assert.ok(found.kind === 'repository')
      assert.ok(found.upstreamPath.startsWith(found.upstreamPrefix))
      const back = found.publicPrefix + found.upstreamPath.slice(found.upstreamPrefix.length)
      assert.equal(back.replace(/\/$/, ''), path)
    }),
  )
})

test('hosts that are made up do not fill the memory', () => {
  const routes = compileRoutes(config)
  const listener = config.listeners[0]
  assert.ok(listener)
  for (let count = 0; count < 25_000; count++) matchRoute(routes, { listener, host: `h${count}.example`, path: '/v2/' })
  assert.ok((routes.sites.get(listener)?.size ?? 0) <= 10_000)
})

test('explain names the listener, the rule, the key and what upstream is asked for', () => {
  const told = explainRoute(config, 'https://docker-dev.docker.company.com:8443/v2/x/blobs/uploads/?mount=a')
  assert.equal(told.listener?.port, 8443)
  assert.equal(told.rule, 'host *.docker.company.com')
  assert.equal(told.match?.kind === 'repository' && told.match.key, 'docker-dev')
  assert.equal(told.upstreamTarget, `${api}/docker-dev/v2/x/blobs/uploads/?mount=a`)
  assert.equal(explainRoute(config, 'https://a:5001/v2/').rule, 'port 5001')
  assert.equal(explainRoute(config, 'https://a:9999/v2/').listener, undefined)
  assert.equal(explainRoute(config, 'http://a:8443/v2/').listener, undefined)
})
