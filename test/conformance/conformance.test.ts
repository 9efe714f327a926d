import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { startCaisson, type Caisson } from '../helpers/caisson.ts'
import { moduleVersion, runSuite, withoutSuite, type SuiteRun } from './suite.ts'

const page = await readFile(new URL('../../docs/conformance.md', import.meta.url), 'utf8')

interface Run extends Pick<SuiteRun, 'name' | 'version' | 'prefix'> {
  /** Of the configuration's. */
  readonly listener: number
}

const runs: readonly Run[] = [
  { name: '1.0-by-port', version: '1.0', prefix: '', listener: 1 },
  { name: '1.1-by-port', version: '1.1', prefix: '', listener: 1 },
  { name: 'dev-by-port', version: 'dev', prefix: '', listener: 1 },
  { name: 'dev-by-path', version: 'dev', prefix: 'docker-local/', listener: 0 },
  { name: 'dev-virtual', version: 'dev', prefix: '', listener: 2 },
]

const config = {
  registry: {
    repositories: {
      'docker-local': { type: 'local' },
      'docker-prod': { type: 'local' },
      docker: { type: 'virtual', members: ['docker-prod', 'docker-local'], deployTo: 'docker-local' },
    },
  },
  gateway: {
    workers: 2,
    listeners: [{ port: 0 }, { port: 0, repository: 'docker-local' }, { port: 0, repository: 'docker' }],
    hosts: { localhost: { repositoryFrom: 'path' } },
  },
}

describe('the OCI conformance suite, through the gateway over TLS', { skip: withoutSuite() }, () => {
  let caisson: Caisson
  before(async () => (caisson = await startCaisson({ config })))
  after(async () => caisson[Symbol.asyncDispose]())

  for (const { name, version, prefix, listener } of runs)
    test(`${name}: nothing fails, and docs/conformance.md says what is not tested`, async (t) => {
      const { notPassed, summary, output } = await runSuite({
        name,
        version,
        prefix,
        registry: `localhost:${caisson.ports[listener]}`,
        authorityFile: caisson.authorityFile,
        login: { name: 'admin', password: caisson.adminPassword },
      })
      t.diagnostic(`OCI_VERSION=${version}\n${summary}`)
      assert.match(summary, /^OCI Conformance Result: Pass\n[^]* FAIL\.+: +0\n +Error\.+: +0\n/, output)
      assert.deepEqual(notPassed, documented())
      assert.ok(page.includes(summary), `docs/conformance.md has other figures than\n${summary}`)
    })
})

test('docs/conformance.md names the suite that is run', () => {
  assert.ok(page.includes(moduleVersion))
})

/** `<what>: <status>`, from the first two columns of the table. */
function documented(): readonly string[] {
  const [, section = ''] = page.split('## What it does not see to pass\n')
  const [table = ''] = section.split('\n## ')
  const rows = [...table.matchAll(/^\| ([^|]+?) +\| (\w+) +\|/gm)].map(([, what, status]) => `${what}: ${status}`)
  return rows.slice(1)
}
