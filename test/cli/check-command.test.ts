import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { makeCertificate, type TestCertificate } from '../helpers/test-certificate.ts'

const launcher = fileURLToPath(new URL('../../cli/caisson.js', import.meta.url))

/** `caisson check` of a configuration that names this pair. */
async function check(t: TestContext, { cert, key }: TestCertificate) {
  const directory = await mkdtemp(join(tmpdir(), 'caisson-check-'))
  t.after(() => rm(directory, { recursive: true }))
  await writeFile(join(directory, 'a.crt'), cert)
  await writeFile(join(directory, 'a.key'), key)
  await writeFile(join(directory, 'caisson.yaml'), 'gateway: { certificates: { cert: a.crt, key: a.key } }\n')
  return spawnSync(process.execPath, [launcher, 'check'], { encoding: 'utf8', cwd: directory, timeout: 20_000 })
}

test('check takes a certificate that is good now and prints the effective configuration', async (t) => {
  const { status, stdout } = await check(t, makeCertificate(['a.example.com']))
  assert.equal(status, 0)
  assert.match(stdout, /certificates:\n {4}- cert: .*a\.crt/)
})

test('check refuses a certificate that has run out, and one that does not match its key', async (t) => {
  const expired = await check(t, makeCertificate(['a.example.com'], new Date(Date.now() - 1000)))
  assert.equal(expired.status, 1)
  assert.match(expired.stderr, /a\.crt/)
  const mixed = await check(t, { cert: makeCertificate(['a.example.com']).cert, key: makeCertificate(['b']).key })
  assert.equal(mixed.status, 1)
  assert.match(mixed.stderr, /a\.key/)
})
