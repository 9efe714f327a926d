import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import pino from 'pino'
import { registrySection } from '../../../registry/config.ts'
import { parseListenAddress } from '../../../registry/http/listen-address.ts'
import { listen } from '../../../registry/http/listener.ts'
import { startRegistry } from '../../../registry/start.ts'
import { startTestRegistry } from '../../helpers/registry.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

const nothing = async () => {}
const watchNothing = () => {}

test('the socket is for its user and group alone, and gone after a stop', async () => {
  await using registry = await startTestRegistry()
  assert.equal((await stat(registry.socket)).mode & 0o777, 0o660)
  await registry.running.stop()
  await assert.rejects(stat(registry.socket), { code: 'ENOENT' })
})

test('a socket that a killed process has left is taken over', async () => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'left.sock')
  const program = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  await once(spawn(process.execPath, ['--eval', program]), 'exit')
  assert.ok((await stat(path)).isSocket())

  const listener = await listen({ kind: 'unix', path }, nothing, watchNothing)
  await listener.stop()
})

test('a socket that somebody listens on is left alone', async () => {
  await using registry = await startTestRegistry()
  await assert.rejects(listen({ kind: 'unix', path: registry.socket }, nothing, watchNothing), {
    message: `registry.listen: another caisson runs on ${registry.socket}: stop it, or name another directory with --data`,
  })
  assert.equal((await registry.anonymous.ask('GET', '')).status, 401)
})

test('a file that is no socket is left alone', async () => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'precious')
  await writeFile(path, 'data')
  await assert.rejects(listen({ kind: 'unix', path }, nothing, watchNothing), /precious is a file and no socket/)
  assert.equal(await readFile(path, 'utf8'), 'data')
})

test('a port in use is named', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const bound = other.address()
  const port = typeof bound === 'object' && bound ? bound.port : 0
  await assert.rejects(startTestRegistry({ listen: [`127.0.0.1:${port}`] }), {
    message: `registry.listen: cannot listen on 127.0.0.1:${port}: another program listens there; name another port in registry.listen`,
  })
  other.close()
})

test('what listen says is understood, or named', () => {
  assert.deepEqual(parseListenAddress('unix:/run/caisson.sock'), { kind: 'unix', path: '/run/caisson.sock' })
  assert.deepEqual(parseListenAddress('[::1]:8081'), { kind: 'tcp', address: '::1', port: 8081 })
  assert.deepEqual(parseListenAddress('registry.internal:0'), { kind: 'tcp', address: 'registry.internal', port: 0 })
  for (const bad of ['8081', ':8081', '127.0.0.1:70000', '::1:8081', `unix:/${'x'.repeat(107)}`])
    assert.throws(() => parseListenAddress(bad), /^Error: registry\.listen: /)
})

test('a password for the first admin that is too short is refused before anything listens', async () => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'r.sock')
  const config = registrySection.parse({
    listen: `unix:${path}`,
    storage: { filesystem: join(directory.path, 'blobs') },
    database: `sqlite:${join(directory.path, 'caisson.db')}`,
    audit: { file: 'off' },
  })
  const parts = { config, dataDirectory: directory.path, log: pino({ enabled: false }), version: '1.2.3' }
  for (const firstAdminPassword of ['', 'short'])
    await assert.rejects(startRegistry({ ...parts, firstAdminPassword }), /expected at least 8/)
  await assert.rejects(stat(path), { code: 'ENOENT' })

  const started = await startRegistry(parts)
  const kept = await readFile(join(directory.path, 'admin-password'), 'utf8')
  assert.equal(kept, `${started.firstAdmin?.password}\n`)
  await started.stop()
  const again = await startRegistry({ ...parts, firstAdminPassword: 'ignored from now on' })
  assert.equal(again.firstAdmin, undefined)
  await again.stop()
})
