import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { gatewaySection } from '../../gateway/config.ts'
import { registryAddresses } from '../../certs/registry-addresses.ts'
import {
  containerdHosts,
  dockerTrust,
  errorsWithoutTrust,
  insecureRegistries,
  fetching,
  podmanTrust,
  systemTrust,
} from '../../certs/trust-instructions.ts'
import { writeDockerTrust } from '../../certs/trust.ts'
import { temporaryDirectory } from './pairs.ts'

const subject = {
  hostPorts: ['artprod.company.com:8443', 'hub.company.com'],
  authorityFile: '/data/certs/ca.crt',
  fingerprint: 'AB:CD',
} as const

test('docker trust is written where docker looks, over what was there', async () => {
  await using directory = await temporaryDirectory()
  const trust = { certsDirectory: directory.path, hostPort: 'artprod.company.com:8443' }
  await writeDockerTrust({ ...trust, authorityPem: 'former\n' })
  const file = await writeDockerTrust({ ...trust, authorityPem: 'new\n' })
  assert.equal(file, join(directory.path, 'artprod.company.com:8443/ca.crt'))
  assert.equal(await readFile(file, 'utf8'), 'new\n')
  assert.equal((await stat(file)).mode & 0o777, 0o644)
})

test('what is no address of a registry is refused before anything is written', async () => {
  await using directory = await temporaryDirectory()
  for (const hostPort of ['https://a.com', '../etc', 'a.com/b', '..', 'a..b', 'a b', '$(x)', '', '*.a.com']) {
    const writing = writeDockerTrust({ certsDirectory: join(directory.path, 'certs.d'), hostPort, authorityPem: 'x' })
    await assert.rejects(writing, /is not the address of a registry: expected host or host:port/)
  }
  await assert.rejects(stat(join(directory.path, 'certs.d')), { code: 'ENOENT' })
})

test('addresses with IPv6 and without port are taken', async () => {
  await using directory = await temporaryDirectory()
  for (const hostPort of ['[::1]:5001', 'localhost', '10.0.0.1:5001'])
    assert.ok(
      (await writeDockerTrust({ certsDirectory: directory.path, hostPort, authorityPem: 'x' })).includes(hostPort),
    )
})

test('the texts name the places and commands of every kind of client', () => {
  assert.match(
    dockerTrust(subject),
    /\/etc\/docker\/certs\.d\/artprod\.company\.com:8443\/ca\.crt\n.*\/hub\.company\.com\/ca\.crt\n/,
  )
  assert.match(podmanTrust(subject), /ca\.crt \/etc\/containers\/certs\.d\/artprod\.company\.com:8443\/ca\.crt/)
  for (const command of [
    'update-ca-certificates',
    'update-ca-trust',
    'security add-trusted-cert',
    'certutil -addstore',
  ])
    assert.ok(systemTrust().includes(command))
})

test('the authority is fetched from the gateway and compared with its fingerprint', () => {
  assert.match(
    fetching(subject),
    /https:\/\/artprod\.company\.com:8443\/ca\.crt\n[^]*-fingerprint -sha256\n[^]*AB:CD\n/,
  )
})

test('hosts.toml names the server, what it may do and the authority', () => {
  assert.equal(
    containerdHosts('artprod.company.com:8443'),
    `server = "https://artprod.company.com:8443"

[host."https://artprod.company.com:8443"]
  capabilities = ["pull", "resolve", "push"]
  ca = "/etc/containerd/certs.d/artprod.company.com:8443/ca.crt"`,
  )
})

test('the insecure way is given as a daemon.json that parses and as the old flag', () => {
  const text = insecureRegistries(subject)
  const daemon: unknown = JSON.parse(/\{[^}]*\}/.exec(text)?.[0] ?? '')
  assert.deepEqual(daemon, { 'insecure-registries': subject.hostPorts })
  assert.match(
    text,
    /DOCKER_OPTS=".*--insecure-registry artprod\.company\.com:8443 --insecure-registry hub\.company\.com"/,
  )
  assert.match(text, /restart docker/)
})

test('the error without trust is quoted as clients print it', () => {
  const text = errorsWithoutTrust(subject)
  assert.match(
    text,
    /Error response from daemon: Get "https:\/\/artprod\.company\.com:8443\/v2\/": .*x509: certificate signed by unknown authority\n/,
  )
  assert.match(text, /Invalid registry endpoint .*\/v1\/_ping: x509: certificate signed by unknown authority\n/)
})

test('registries are addressed by every host on every TLS port, the usual port left out', () => {
  const addresses = (section: object) => registryAddresses(gatewaySection.parse(section))
  const listeners = [{ port: 443 }, { port: 5001, repository: 'docker-local' }, { port: 80, tls: false }]
  const hosts = { 'a.company.com': 'docker-local', '*.company.com': { repositoryFrom: 'host' }, '::1': 'docker-local' }
  assert.deepEqual(addresses({ listeners, hosts }), ['a.company.com', 'a.company.com:5001', '[::1]', '[::1]:5001'])
  const pattern = { '*.company.com': { repositoryFrom: 'host' } }
  assert.deepEqual(addresses({ listeners, hosts: pattern }), ['localhost', 'localhost:5001'])
  assert.deepEqual(addresses({}), ['localhost:8443', 'localhost:5001'])
})
