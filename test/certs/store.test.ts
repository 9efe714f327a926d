import assert from 'node:assert/strict'
import { once } from 'node:events'
import { appendFile, copyFile, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import test, { type TestContext } from 'node:test'
import tls from 'node:tls'
import { pino } from 'pino'
import { CertificateError } from '../../certs/certificate-error.ts'
import { ensureSelfSigned, reissueSelfSigned } from '../../certs/self-signed.ts'
import { openServerCertificates, type StoreSettings } from '../../certs/store.ts'
import type { ServerCertificates } from '../../gateway/server-certificates.ts'
import { daysFromNow, filesIn, noMachine, oldAuthority, temporaryDirectory, writePair } from './pairs.ts'

const events = { debounceMs: 20, pollMs: 3_600_000 }

async function setUp(t: TestContext) {
  const temporary = await temporaryDirectory()
  t.after(async () => await temporary[Symbol.asyncDispose]())
  return { directory: temporary.path, authority: await oldAuthority(temporary.path) }
}

async function open(t: TestContext, settings: Omit<StoreSettings, 'log'>) {
  const logged = new LogLines()
  const store = await openServerCertificates({ watch: events, ...settings, log: pino({}, logged) })
  t.after(async () => await store[Symbol.asyncDispose]())
  return { store, logged, changed: async () => await changeOf(store) }
}

/** Must be asked for before the change is made. */
async function changeOf(store: ServerCertificates): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const late = setTimeout(() => reject(new Error('no change was told of within ten seconds')), 10_000)
  store.onChange(resolve)
  await promise.finally(() => clearTimeout(late))
}

class LogLines extends Writable {
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.emit('line', chunk.toString())
    done()
  }
  async next(): Promise<string> {
    const [line]: unknown[] = await once(this, 'line', { signal: AbortSignal.timeout(10_000) })
    return String(line)
  }
}

/** The names in the certificate that a real handshake ends with; trust is checked, the name is not. */
async function served(store: ServerCertificates, ca: string, servername?: string): Promise<string> {
  const server = tls.createServer({
    ...store.fallback(),
    SNICallback: (name, answer) => answer(null, store.contextFor(name)),
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = tls.connect({ host: '127.0.0.1', port, ca, servername, checkServerIdentity: () => undefined })
  try {
    await once(client, 'secureConnect')
    return client.getPeerX509Certificate()?.subject ?? ''
  } finally {
    client.destroy()
    server.close()
  }
}

test('SNI chooses: the exact name, then a wildcard of one label, then the first pair', async (t) => {
  const { directory, authority } = await setUp(t)
  const pair = async (name: string, host: string) => await writePair(authority, filesIn(directory, name), [host])
  const certificates = [
    await pair('first', 'first.company.com'),
    await pair('wild', '*.docker.company.com'),
    await pair('exact', 'hub.docker.company.com'),
  ]
  const { store } = await open(t, { certificates, directory })
  const subject = async (name?: string) => await served(store, authority.cert, name)

  assert.equal(await subject('hub.docker.company.com'), 'CN=hub.docker.company.com')
  assert.equal(await subject('HUB.docker.company.com'), 'CN=hub.docker.company.com')
  assert.equal(await subject('prod.docker.company.com'), 'CN=*.docker.company.com')
  assert.equal(await subject('a.prod.docker.company.com'), 'CN=first.company.com')
  assert.equal(await subject('docker.company.com'), 'CN=first.company.com')
  assert.equal(await subject(), 'CN=first.company.com')
})

test('one secure context serves all handshakes of a certificate', async (t) => {
  const { directory, authority } = await setUp(t)
  const certificates = [await writePair(authority, filesIn(directory, 'a'), ['a.company.com', '*.b.company.com'])]
  const { store } = await open(t, { certificates, directory })
  const contexts = ['a.company.com', 'x.b.company.com', 'y.b.company.com', 'other'].map((name) =>
    store.contextFor(name),
  )
  assert.equal(new Set(contexts).size, 1)
})

test('the self-signed certificate is trusted by its authority, which is handed out, and followed when issued anew', async (t) => {
  const { directory } = await setUp(t)
  const hosts = ['a.company.com']
  await ensureSelfSigned({ directory, hosts, machine: noMachine })
  const { store, changed } = await open(t, { certificates: 'selfSigned', directory })
  const ca = await readFile(join(directory, 'ca.crt'), 'utf8')
  assert.equal(store.authority(), ca)
  assert.equal(await served(store, ca, 'a.company.com'), 'CN=a.company.com')

  const change = changed()
  await reissueSelfSigned({ directory, hosts: ['b.company.com'], machine: noMachine })
  await change
  assert.equal(await served(store, ca, 'a.company.com'), 'CN=b.company.com')
  assert.equal(store.fallback().cert, await readFile(join(directory, 'server.crt'), 'utf8'))
})

test('a bad new pair is reported and the former served on, until a good one comes', async (t) => {
  const { directory, authority } = await setUp(t)
  const files = await writePair(authority, filesIn(directory, 'a'), ['a.company.com'])
  const { store, logged, changed } = await open(t, { certificates: [files], directory })
  const former = store.fallback()

  const report = logged.next()
  await writeFile(files.cert, 'oops')
  const { level, msg } = JSON.parse(await report)
  assert.equal(level, 50)
  assert.match(msg, /the former are served on: .*a\.crt holds no certificate in PEM form/)
  assert.deepEqual(store.fallback(), former)
  assert.equal(await served(store, authority.cert, 'a.company.com'), 'CN=a.company.com')

  const change = changed()
  await writePair(authority, files, ['b.company.com'])
  await change
  assert.equal(await served(store, authority.cert), 'CN=b.company.com')
})

test('a new pair that has run out is not taken', async (t) => {
  const { directory, authority } = await setUp(t)
  const inOneFile = async (name: string, at: Date) => {
    const { cert, key } = await writePair(authority, filesIn(join(directory, name), 'a'), ['a.company.com'], at)
    await appendFile(cert, await readFile(key))
    return cert
  }
  const file = await inOneFile('now', daysFromNow(0))
  const next = await inOneFile('next', daysFromNow(-500))
  const { store, logged } = await open(t, { certificates: [{ cert: file, key: file }], directory })
  const former = store.fallback()
  const report = logged.next()
  await rename(next, file)
  assert.match(await report, /ran out on/)
  assert.deepEqual(store.fallback(), former)
})

test('links swapped as certbot and Kubernetes do are followed', async (t) => {
  const { directory, authority } = await setUp(t)
  const live = join(directory, 'live')
  const version = async (number: number) => {
    const files = { cert: join(directory, `v${number}/fullchain.pem`), key: join(directory, `v${number}/privkey.pem`) }
    return await writePair(authority, files, [`v${number}.company.com`])
  }
  await Promise.all([version(1), version(2)])
  await mkdir(live)
  await symlink(join(directory, 'v1'), join(live, 'site'))
  const { store, changed } = await open(t, { certificates: { directory: live }, directory })
  assert.equal(await served(store, authority.cert), 'CN=v1.company.com')

  const change = changed()
  await symlink(join(directory, 'v2'), join(live, 'next'))
  await rename(join(live, 'next'), join(live, 'site'))
  await change
  assert.equal(await served(store, authority.cert), 'CN=v2.company.com')
})

test('a pair added to the directory, or to a new directory in it, is served', async (t) => {
  const { directory, authority } = await setUp(t)
  const own = join(directory, 'own')
  await writePair(authority, filesIn(own, 'a'), ['a.company.com'])
  const { store, changed } = await open(t, { certificates: { directory: own }, directory })

  const change = changed()
  const files = { cert: join(own, 'b.company.com/fullchain.pem'), key: join(own, 'b.company.com/privkey.pem') }
  await writePair(authority, files, ['b.company.com'])
  await change
  assert.equal(await served(store, authority.cert, 'b.company.com'), 'CN=b.company.com')
  assert.equal(await served(store, authority.cert), 'CN=a.company.com')
})

test('a change is found by looking from time to time, where no event tells of it', async (t) => {
  const { directory, authority } = await setUp(t)
  const files = await writePair(authority, filesIn(directory, 'a'), ['a.company.com'])
  const next = await writePair(authority, filesIn(join(directory, 'next'), 'a'), ['b.company.com'])
  const watch = { debounceMs: 3_600_000, pollMs: 20 }
  const { store, changed } = await open(t, { certificates: [files], directory, watch })
  const change = changed()
  await copyFile(next.key, files.key)
  await copyFile(next.cert, files.cert)
  await change
  assert.equal(await served(store, authority.cert), 'CN=b.company.com')
})

test('certificates that cannot be used are an error when they are opened', async (t) => {
  const { directory, authority } = await setUp(t)
  const files = await writePair(authority, filesIn(directory, 'a'), ['a.company.com'], daysFromNow(-500))
  await assert.rejects(
    open(t, { certificates: [files], directory }),
    (error) => error instanceof CertificateError && /a\.crt ran out on/.test(error.message),
  )
  await rm(files.key)
  await assert.rejects(open(t, { certificates: [files], directory }), /a\.key does not exist/)
})
