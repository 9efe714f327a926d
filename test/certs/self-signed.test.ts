import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { copyFile, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { CertificateError } from '../../certs/certificate-error.ts'
import { ensureSelfSigned, reissueSelfSigned } from '../../certs/self-signed.ts'
import { daysFromNow, noMachine, now, temporaryDirectory } from './pairs.ts'

const hosts = ['artprod.company.com', '*.docker.company.com']

function settings(directory: string) {
  return { directory, hosts, machine: { hostNames: ['dock7'], addresses: ['192.0.2.7'] }, now }
}

async function read(directory: string) {
  const text = async (name: string) => await readFile(join(directory, name), 'utf8')
  return {
    root: new X509Certificate(await text('ca.crt')),
    server: new X509Certificate(await text('server.crt')),
    key: createPrivateKey(await text('server.key')),
    rootKey: createPrivateKey(await text('ca.key')),
  }
}

test('an authority and a certificate from it are made, which hold what was asked for', async () => {
  await using temporary = await temporaryDirectory()
  const directory = join(temporary.path, 'certs')
  const report = await ensureSelfSigned(settings(directory))
  const { root, server, key, rootKey } = await read(directory)

  assert.deepEqual([report.authority, report.certificate], ['made', 'made'])
  assert.ok(root.ca && root.checkPrivateKey(rootKey) && root.verify(root.publicKey))
  assert.deepEqual(root.validToDate.getTime() - root.validFromDate.getTime(), 3650 * 86_400_000)
  assert.ok(!server.ca && server.checkPrivateKey(key) && server.checkIssued(root) && server.verify(root.publicKey))
  assert.deepEqual(server.validToDate.getTime() - server.validFromDate.getTime(), 397 * 86_400_000)
  assert.ok(server.validFromDate < now)
  assert.deepEqual(server.keyUsage, ['1.3.6.1.5.5.7.3.1'])
  for (const host of ['artprod.company.com', 'hub.docker.company.com', 'localhost', 'dock7'])
    assert.ok(server.checkHost(host))
  for (const address of ['192.0.2.7', '127.0.0.1', '::1']) assert.ok(server.checkIP(address))
  assert.equal(server.checkHost('other.company.com'), undefined)
})

test('serial numbers are positive and of 16 bytes, and no two are equal', async () => {
  await using temporary = await temporaryDirectory()
  await ensureSelfSigned(settings(temporary.path))
  const first = await read(temporary.path)
  await reissueSelfSigned(settings(temporary.path))
  const serials = [first.root, first.server, (await read(temporary.path)).server].map((each) => each.serialNumber)
  assert.equal(new Set(serials).size, 3)
  for (const serial of serials) assert.match(serial, /^[4-7][0-9A-F]{31}$/)
})

test('keys are for their owner alone, and so is the directory', async () => {
  await using temporary = await temporaryDirectory()
  const directory = join(temporary.path, 'certs')
  await ensureSelfSigned(settings(directory))
  const modeOf = async (name: string) => ((await stat(join(directory, name))).mode & 0o777).toString(8)
  const names = ['.', 'ca.key', 'server.key', 'ca.crt', 'server.crt']
  assert.deepEqual(await Promise.all(names.map(modeOf)), ['700', '600', '600', '644', '644'])
})

test('a second call changes nothing', async () => {
  await using temporary = await temporaryDirectory()
  await ensureSelfSigned(settings(temporary.path))
  const before = await contents(temporary.path)
  const report = await ensureSelfSigned({ ...settings(temporary.path), now: daysFromNow(300) })
  assert.deepEqual([report.authority, report.certificate, report.because], ['kept', 'kept', undefined])
  assert.deepEqual(await contents(temporary.path), before)
})

test('of processes that start at once all end up with one authority and a pair that matches', async () => {
  await using temporary = await temporaryDirectory()
  const module = pathToFileURL(join(import.meta.dirname, '../../certs/self-signed.ts')).href
  const script = `
    import { readFile } from 'node:fs/promises'
    import { ensureSelfSigned } from ${JSON.stringify(module)}
    const directory = ${JSON.stringify(temporary.path)}
    const { authority } = await ensureSelfSigned({ directory, hosts: ['a.company.com'], machine: { hostNames: [], addresses: [] } })
    console.log(JSON.stringify({ authority, seen: await readFile(directory + '/ca.crt', 'utf8') }))`
  const start = async () => (await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])).stdout
  const outputs = await Promise.all([start(), start(), start()])
  const { root, server, key, rootKey } = await read(temporary.path)

  assert.equal(outputs.filter((output) => output.includes('"authority":"made"')).length, 1)
  for (const output of outputs) assert.ok(output.includes(JSON.stringify(root.toString())))
  assert.ok(root.checkPrivateKey(rootKey) && server.checkPrivateKey(key) && server.verify(root.publicKey))
  assert.deepEqual((await readdir(temporary.path)).sort(), ['ca.crt', 'ca.key', 'server.crt', 'server.key'])
})

test('the certificate is made anew when a name is new, and kept when one is gone', async () => {
  await using temporary = await temporaryDirectory()
  await ensureSelfSigned(settings(temporary.path))
  const fewer = await ensureSelfSigned({ ...settings(temporary.path), hosts: [], machine: noMachine })
  assert.equal(fewer.certificate, 'kept')
  const covered = await ensureSelfSigned({ ...settings(temporary.path), hosts: ['hub.docker.company.com'] })
  assert.equal(covered.certificate, 'kept')
  const { server: former, root } = await read(temporary.path)

  const more = await ensureSelfSigned({ ...settings(temporary.path), hosts: [...hosts, 'legacy.company.com'] })
  assert.match(more.because ?? '', /server\.crt does not cover legacy\.company\.com$/)
  const { server, root: same } = await read(temporary.path)
  assert.ok(server.checkHost('legacy.company.com'))
  assert.notEqual(server.serialNumber, former.serialNumber)
  assert.equal(same.fingerprint256, root.fingerprint256)
})

test('the certificate is renewed in the last 30 days, and for a clock that was put back', async () => {
  await using temporary = await temporaryDirectory()
  await ensureSelfSigned(settings(temporary.path))
  const at = async (days: number) => await ensureSelfSigned({ ...settings(temporary.path), now: daysFromNow(days) })
  assert.equal((await at(366)).certificate, 'kept')
  const renewed = await at(367)
  assert.match(renewed.because ?? '', /runs out on /)
  assert.ok(renewed.validTo > daysFromNow(367 + 396))
  assert.match((await at(1)).because ?? '', /is valid only from /)
})

test('a certificate that belongs to another key or authority, or is damaged, is made anew', async () => {
  await using temporary = await temporaryDirectory()
  await using other = await temporaryDirectory()
  const inOther = (name: string) => join(other.path, name)
  const here = (name: string) => join(temporary.path, name)
  await ensureSelfSigned(settings(other.path))
  await ensureSelfSigned(settings(temporary.path))
  const mended = async () => {
    const { because } = await ensureSelfSigned(settings(temporary.path))
    const { server, key, root } = await read(temporary.path)
    assert.ok(server.checkPrivateKey(key) && server.verify(root.publicKey))
    return because ?? ''
  }

  await copyFile(inOther('server.key'), here('server.key'))
  assert.match(await mended(), /does not belong to its key$/)
  await Promise.all(['server.key', 'server.crt'].map(async (name) => await copyFile(inOther(name), here(name))))
  assert.match(await mended(), /was issued by another authority$/)
  await writeFile(here('server.crt'), 'oops')
  assert.match(await mended(), /is missing or damaged$/)
  await writeFile(here('server.key'), '-----BEGIN PRIVATE KEY-----\noops\n-----END PRIVATE KEY-----\n')
  assert.match(await mended(), /does not belong to its key$/)
})

test('no certificate outlives its authority, and one that ends with it is not renewed day by day', async () => {
  await using temporary = await temporaryDirectory()
  await ensureSelfSigned(settings(temporary.path))
  const at = async (days: number) => await ensureSelfSigned({ ...settings(temporary.path), now: daysFromNow(days) })
  const last = await at(3600)
  const { root } = await read(temporary.path)
  assert.equal(last.validTo.getTime(), root.validToDate.getTime())
  assert.equal((await at(3640)).certificate, 'kept')
  await assert.rejects(
    at(3650),
    (error) => error instanceof CertificateError && /ca\.crt ran out on /.test(error.message),
  )
})

test('an authority whose key is gone or wrong is never replaced silently', async () => {
  await using temporary = await temporaryDirectory()
  await ensureSelfSigned(settings(temporary.path))
  const trusted = await readFile(join(temporary.path, 'ca.crt'), 'utf8')
  await copyFile(join(temporary.path, 'server.key'), join(temporary.path, 'ca.key'))
  await assert.rejects(
    ensureSelfSigned(settings(temporary.path)),
    /ca\.key is not the key of .*ca\.crt: put the right one/,
  )
  await rm(join(temporary.path, 'ca.key'))
  await assert.rejects(ensureSelfSigned(settings(temporary.path)), /ca\.key is missing: put it back, or remove/)
  assert.equal(await readFile(join(temporary.path, 'ca.crt'), 'utf8'), trusted)
})

test('a process killed between the key and the certificate of the authority is continued', async () => {
  await using temporary = await temporaryDirectory()
  await ensureSelfSigned(settings(temporary.path))
  const key = await readFile(join(temporary.path, 'ca.key'), 'utf8')
  await rm(join(temporary.path, 'ca.crt'))
  assert.equal((await ensureSelfSigned(settings(temporary.path))).authority, 'made')
  assert.equal(await readFile(join(temporary.path, 'ca.key'), 'utf8'), key)
})

test('files that a killed process left half written are cleared away, those in the making stay', async () => {
  await using temporary = await temporaryDirectory()
  const [old, young] = ['.ca.key.00112233445566aa.tmp', '.ca.key.00112233445566bb.tmp']
  for (const name of [old, young]) await writeFile(join(temporary.path, name), '')
  await utimes(join(temporary.path, old), daysFromNow(-1), daysFromNow(-1))
  await ensureSelfSigned(settings(temporary.path))
  const left = await readdir(temporary.path)
  assert.deepEqual([left.includes(old), left.includes(young)], [false, true])
})

test('issuing anew replaces key and certificate and keeps the authority', async () => {
  await using temporary = await temporaryDirectory()
  await ensureSelfSigned(settings(temporary.path))
  const before = await contents(temporary.path)
  await reissueSelfSigned(settings(temporary.path))
  const after = await contents(temporary.path)
  const changed = Object.keys(after).filter((name) => after[name] !== before[name])
  assert.deepEqual(changed.sort(), ['server.crt', 'server.key'])
  assert.equal((await ensureSelfSigned(settings(temporary.path))).certificate, 'kept')
})

async function contents(directory: string): Promise<Record<string, string>> {
  const names = await readdir(directory)
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name), 'utf8')] as const)),
  )
}
