import assert from 'node:assert/strict'
import test from 'node:test'
import { X509Certificate } from 'node:crypto'
import { certificateNames } from '../../certs/names.ts'
import { machineNames } from '../../certs/machine-names.ts'
import { generateRsaKey } from '../../certs/rsa-key.ts'
import { issueServerCertificate } from '../../certs/server-certificate.ts'
import { subjectNames, uncovered } from '../../certs/subject-names.ts'
import { noMachine, now, oldAuthority, temporaryDirectory } from './pairs.ts'

const machine = { hostNames: ['Dock7', 'dock7.company.com.'], addresses: ['192.0.2.7', 'fd00:0:0::7', '127.0.0.1'] }

test('configured hosts come first, then localhost, the machine and its addresses', () => {
  assert.deepEqual(certificateNames(['artprod.company.com', '10.1.2.3'], machine), {
    dns: ['artprod.company.com', 'localhost', 'dock7', 'dock7.company.com'],
    addresses: ['10.1.2.3', '127.0.0.1', '::1', '192.0.2.7', 'fd00::7'],
  })
})

test('a pattern that is a wildcard is taken as it is, any other by the wildcard that covers it', () => {
  const { dns } = certificateNames(['*.docker.company.com', 'acme-docker-*.company.com'], noMachine)
  assert.deepEqual(dns, ['*.docker.company.com', '*.company.com', 'localhost'])
})

test('*.localhost is there only when it is configured', () => {
  assert.equal(certificateNames([], noMachine).dns.includes('*.localhost'), false)
  assert.equal(certificateNames(['*.localhost'], noMachine).dns.includes('*.localhost'), true)
})

test('what cannot be a name in a certificate is left out', () => {
  const { dns } = certificateNames(['a..b', '*dock', `${'x'.repeat(64)}.com`], {
    hostNames: ['my machine', '-x', 'fine'],
    addresses: ['nonsense'],
  })
  assert.deepEqual(dns, ['localhost', 'fine'])
})

test('the addresses of this machine are usable from elsewhere', async () => {
  const { hostNames, addresses } = await machineNames()
  assert.ok(hostNames.length > 0)
  assert.ok(addresses.includes('127.0.0.1'))
  assert.ok(addresses.every((address) => !address.startsWith('fe80')))
})

test('names and addresses are read back from a certificate, and what it lacks is named', async () => {
  await using directory = await temporaryDirectory()
  const wanted = certificateNames(['artprod.company.com', '*.docker.company.com', 'fd00::7'], noMachine)
  const authority = await oldAuthority(directory.path)
  const cert = issueServerCertificate({ authority, key: await generateRsaKey(2048), names: wanted, now })
  const certificate = new X509Certificate(cert)

  assert.deepEqual(subjectNames(certificate), wanted)
  assert.deepEqual(uncovered(certificate, { dns: ['hub.docker.company.com'], addresses: ['::1'] }), [])
  const others = { dns: ['a.hub.docker.company.com', 'docker.company.com'], addresses: ['10.0.0.1'] }
  assert.deepEqual(uncovered(certificate, others), ['a.hub.docker.company.com', 'docker.company.com', '10.0.0.1'])
})

test('the common name is the first name that fits into one', async () => {
  await using directory = await temporaryDirectory()
  const authority = await oldAuthority(directory.path)
  const key = await generateRsaKey(2048)
  const long = `${'x'.repeat(60)}.company.com`
  const issue = (hosts: string[]) =>
    new X509Certificate(issueServerCertificate({ authority, key, names: certificateNames(hosts, noMachine), now }))

  assert.equal(issue(['*.docker_1.company.com', 'x.com']).subject, 'CN=x.com')
  assert.equal(issue(['*.docker_1.company.com']).subject, 'CN=*.docker_1.company.com')
  assert.equal(issue([long]).subject, 'CN=localhost')
  assert.equal(issue([long]).checkHost(long), long)
})
