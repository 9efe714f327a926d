import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { authorityOf, startCaisson, usualConfig, type Caisson } from '../helpers/caisson.ts'
import { ask } from '../helpers/https-client.ts'

const launcher = fileURLToPath(new URL('../../cli/caisson.js', import.meta.url))

test('the first start makes certificates, the admin user and the repositories, and says what comes next', async (t) => {
  const dataDirectory = await scratch(t)
  await using caisson = await startCaisson({ dataDirectory, env: { CAISSON_ADMIN_PASSWORD: '' } })
  const password = (await readFile(join(dataDirectory, 'admin-password'), 'utf8')).trim()
  const printed = caisson.log()
  assert.ok(password.length >= 16)
  assert.ok(printed.includes(`Login: admin, password ${password}`))
  assert.match(printed, new RegExp(`docker login localhost:${caisson.ports[1]} -u admin`))
  assert.match(printed, new RegExp(`docker push localhost:${caisson.ports[1]}/hello:1`))
  assert.match(printed, /certs trust/)
  for (const secret of ['admin-password', 'certs/ca.key', 'certs/server.key', 'caisson.db']) {
    assert.equal((await stat(join(dataDirectory, secret))).mode & 0o077, 0, `${secret} is for its owner alone`)
  }
  const answer = await askFirst(caisson, '/v2/', `admin:${password}`)
  assert.equal(answer.status, 200)
})

test('a restart keeps the authority, the password and what was pushed, and prints no password', async (t) => {
  const dataDirectory = await scratch(t)
  const before = await startCaisson({ dataDirectory })
  const authority = await authorityOf(before)
  await before.stop()
  await using after = await startCaisson({ dataDirectory, env: { CAISSON_ADMIN_PASSWORD: '' } })
  assert.equal(await authorityOf(after), authority)
  assert.doesNotMatch(after.log(), /Login:/)
  assert.equal((await askFirst(after, '/v2/', `admin:${before.adminPassword}`)).status, 200)
})

test('the gateway alone starts before its registry ever ran, and answers 503 until then', async () => {
  await using gateway = await startCaisson({ command: 'gateway' })
  assert.equal((await askFirst(gateway, '/v2/')).status, 503)
})

test('a registry that is killed is started again, and meanwhile the gateway answers 503 with Retry-After', async () => {
  await using caisson = await startCaisson()
  const [registry] = childrenOf(caisson).filter(({ part }) => part === 'registry')
  assert.ok(registry)
  process.kill(registry.pid, 'SIGKILL')
  await untilLogged(caisson, '"process":"registry"')
  const statuses = new Set<number>()
  for (let answer = await askFirst(caisson, '/v2/'); ; answer = await askFirst(caisson, '/v2/')) {
    statuses.add(answer.status)
    if (answer.status === 401) break
    assert.ok([502, 503].includes(answer.status))
    assert.ok(answer.headers['retry-after'])
  }
  assert.ok(statuses.has(401))
})

test('a gateway worker that is killed is started again on the same port', async () => {
  await using caisson = await startCaisson()
  const workers = childrenOf(caisson).filter(({ part }) => part === 'gateway')
  assert.equal(workers.length, 2)
  for (const { pid } of workers) process.kill(pid, 'SIGKILL')
  await untilLogged(caisson, 'process runs again')
  assert.equal((await askFirst(caisson, '/v2/')).status, 401)
})

test('when the supervisor is killed nothing of it stays behind', async () => {
  await using caisson = await startCaisson()
  const children = childrenOf(caisson).map(({ pid }) => pid)
  assert.equal(children.length, 3)
  caisson.process.kill('SIGKILL')
  await once(caisson.process, 'exit')
  for (const pid of children) await gone(pid)
})

test('a port in use is named, with the key that changes it', async (t) => {
  const taken = createServer().listen(0)
  await once(taken, 'listening')
  t.after(() => taken.close())
  const address = taken.address()
  assert.ok(address && typeof address === 'object')
  const { status, stderr } = await serveOnce(t, { gateway: { listeners: [{ port: address.port }] } })
  assert.equal(status, 1)
  assert.match(stderr, new RegExp(`caisson: .*port ${address.port}.*gateway\\.listeners`))
})

test(
  'an unwritable data directory is named, with what to do',
  { skip: process.getuid?.() === 0 && 'root may write everywhere' },
  async (t) => {
    const directory = await scratch(t)
    await chmod(directory, 0o500)
    const { status, stderr } = await serveOnce(t, usualConfig(), join(directory, 'data'))
    assert.equal(status, 1)
    assert.match(stderr, /cannot be written to .*--data/)
  },
)

test('a second one on the same data directory is refused, and leaves the certificate of the first alone', async (t) => {
  await using caisson = await startCaisson()
  const served = join(caisson.dataDirectory, 'certs', 'server.crt')
  const before = await readFile(served, 'utf8')
  const { status, stderr } = await serveOnce(
    t,
    usualConfig({ 'other.example.com': 'docker-local' }),
    caisson.dataDirectory,
  )
  assert.equal(status, 1)
  assert.match(stderr, /caisson: another caisson works on .*data: stop it first, or name another directory with --data/)
  assert.equal(await readFile(served, 'utf8'), before)
})

test('a data directory below a file is named, with what to do', async (t) => {
  const file = join(await scratch(t), 'file')
  await writeFile(file, '')
  const { status, stderr } = await serveOnce(t, usualConfig(), join(file, 'data'))
  assert.equal(status, 1)
  assert.match(stderr, /file\/data cannot be written to .*--data/)
})

test('a wrong option, a wrong command and a missing argument are wrong use: exit status 2', () => {
  for (const words of [['serve', '--nonsense'], ['nonsense'], ['explain']]) {
    assert.equal(spawnSync(process.execPath, [launcher, ...words]).status, 2, words.join(' '))
  }
  assert.equal(spawnSync(process.execPath, [launcher, '--help']).status, 0)
})

async function serveOnce(
  t: TestContext,
  config: unknown,
  dataDirectory?: string,
): Promise<{ status: number | null; stderr: string }> {
  const directory = await scratch(t)
  const file = join(directory, 'caisson.yaml')
  await writeFile(file, JSON.stringify(config)) // JSON is YAML
  const { status, stderr } = spawnSync(
    process.execPath,
    [launcher, 'serve', '--config', file, '--data', dataDirectory ?? join(directory, 'data')],
    { encoding: 'utf8', timeout: 20_000 },
  )
  return { status, stderr }
}

async function askFirst(caisson: Caisson, path: string, login?: string) {
  const url = `https://docker-local.localhost:${caisson.ports[0]}${path}`
  return await ask(await authorityOf(caisson), url, login === undefined ? {} : { login })
}

function childrenOf(caisson: Caisson): readonly { readonly pid: number; readonly part: string }[] {
  const { stdout } = spawnSync('ps', ['--ppid', String(caisson.process.pid), '-o', 'pid=,args='], { encoding: 'utf8' })
  return stdout
    .trim()
    .split('\n')
    .map((line) => ({
      pid: Number.parseInt(line, 10),
      part: line.includes('caisson registry') ? 'registry' : 'gateway',
    }))
}

/** The supervisor writes a line; the test waits for that, not for a time. */
async function untilLogged(caisson: Caisson, text: string): Promise<void> {
  while (!caisson.log().includes(text)) {
    assert.equal(caisson.process.exitCode, null)
    assert.ok(caisson.process.stderr)
    await once(caisson.process.stderr, 'data')
  }
}

async function gone(pid: number): Promise<void> {
  for (let alive = true; alive;) {
    await new Promise((resolve) => setImmediate(resolve))
    try {
      process.kill(pid, 0)
    } catch {
      alive = false
    }
  }
}

async function scratch(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'caisson-serve-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}
