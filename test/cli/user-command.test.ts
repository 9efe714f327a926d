import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openSqliteMetadata } from '../../registry/storage/sqlite-metadata.ts'

const launcher = fileURLToPath(new URL('../../cli/caisson.js', import.meta.url))

async function scratch(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'caisson-user-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}

function user(data: string, words: readonly string[], input = '') {
  const args = [launcher, 'user', ...words, '--data', data]
  return spawnSync(process.execPath, args, { encoding: 'utf8', input, cwd: data, timeout: 20_000 })
}

test('a data directory without a database is named, nothing is made in it, and no user before the first start', async (t) => {
  const data = await scratch(t)
  for (const words of [['list'], ['add', 'alice'], ['password', 'alice'], ['remove', 'alice']]) {
    const { status, stderr } = user(data, words, 'long enough\n')
    assert.equal(status, 1)
    assert.match(stderr, /caisson: .*caisson\.db does not exist yet: start caisson once, or name .* with --data/)
  }
  assert.ok(!existsSync(join(data, 'caisson.db')))
})

test('users are added with a password from standard input, listed, given another one and removed', async (t) => {
  const data = await scratch(t)
  await (await openSqliteMetadata(join(data, 'caisson.db')))[Symbol.asyncDispose]()
  assert.equal(user(data, ['add', 'alice', '--admin'], 'long enough\n').stdout, 'added alice\n')
  assert.equal(user(data, ['add', 'bob'], 'long enough\r\n').stdout, 'added bob\n')
  assert.match(user(data, ['add', 'bob'], 'long enough\n').stderr, /there is a user bob already/)
  assert.equal(user(data, ['list']).stdout, 'alice (admin)\nbob\n')
  assert.match(user(data, ['password', 'bob'], 'short\n').stderr, /expected at least 8/)
  assert.equal(user(data, ['password', 'bob'], 'another one\n').stdout, 'changed the password of bob\n')
  assert.equal(user(data, ['remove', 'bob']).stdout, 'removed bob\n')
  assert.match(user(data, ['remove', 'bob']).stderr, /there is no user bob/)
})

test('a user name that is none is told what one is', async (t) => {
  for (const name of ['a'.repeat(65), 'anonymous']) {
    const { status, stderr } = user(await scratch(t), ['add', name], 'long enough\n')
    assert.equal(status, 1)
    assert.match(stderr, /is not a user name: expected at most 64 letters, digits, .*beginning with a letter or digit/)
  }
})

test('the last admin is not removed, because nobody could undo it', async (t) => {
  const data = await scratch(t)
  await (await openSqliteMetadata(join(data, 'caisson.db')))[Symbol.asyncDispose]()
  user(data, ['add', 'alice', '--admin'], 'long enough\n')
  user(data, ['add', 'bob'], 'long enough\n')
  const refused = user(data, ['remove', 'alice'])
  assert.equal(refused.status, 1)
  assert.match(refused.stderr, /alice is the last admin; add another one first/)
  user(data, ['add', 'carol', '--admin'], 'long enough\n')
  assert.equal(user(data, ['remove', 'alice']).stdout, 'removed alice\n')
})

test('a user is shown with what it is in; a robot is asked for no password and is given none', async (t) => {
  const data = await scratch(t)
  await using store = await openSqliteMetadata(join(data, 'caisson.db'))
  await store.putGroup({ name: 'devs', description: '', autoJoin: true, admins: false })
  await store.putGroup({ name: 'ops', description: '', autoJoin: false, admins: true })
  assert.equal(user(data, ['add', 'ci', '--robot', '--email', 'ci@test', '--group', 'ops']).stdout, 'added ci\n')
  const shown = 'ci, admin, robot\n  email ci@test\n  in the group devs\n  in the group ops\n'
  assert.equal(user(data, ['show', 'ci']).stdout, shown)
  assert.equal(user(data, ['list']).stdout, 'ci (robot)\n')
  assert.match(user(data, ['password', 'ci'], 'long enough\n').stderr, /ci is a robot: it has tokens and no password/)
  assert.match(user(data, ['show', 'c1']).stderr, /there is no user c1; did you mean "ci"\?/)
  assert.match(
    user(data, ['add', 'bob', '--robot', '--group', 'dev']).stderr,
    /there is no group dev; did you mean "devs"/,
  )
  const wrong = user(data, ['add', 'bob', '--robot', '--email', 'bob'])
  assert.equal(wrong.status, 2)
  assert.match(wrong.stderr, /expected an address like alice@company\.com/)
})

test('a user of the configuration file is listed, and changed there alone', async (t) => {
  const data = await scratch(t)
  await (await openSqliteMetadata(join(data, 'caisson.db')))[Symbol.asyncDispose]()
  await writeFile(
    join(data, 'caisson.yaml'),
    'registry:\n  users: { root: { password: { env: NOT_SET }, admin: true } }\n',
  )
  assert.equal(user(data, ['list']).stdout, 'root (admin, in the configuration file)\n')
  for (const words of [
    ['password', 'root'],
    ['remove', 'root'],
  ]) {
    const refused = user(data, words, 'long enough\n')
    assert.equal(refused.status, 1)
    assert.match(refused.stderr, /^caisson: the user root is named in the configuration file: change it there, below /)
  }
  assert.match(user(data, ['add', 'root'], 'long enough\n').stderr, /there is a user root already/)
})

test('what is done is recorded without the password; nothing is done when it cannot be', async (t) => {
  const data = await scratch(t)
  await (await openSqliteMetadata(join(data, 'caisson.db')))[Symbol.asyncDispose]()
  user(data, ['add', 'bob'], 'long enough\n')
  user(data, ['password', 'bob'], 'another one\n')
  user(data, ['password', 'alice'], 'another one\n')
  user(data, ['remove', 'bob'])
  const file = join(data, 'audit', 'audit.jsonl')
  const lines = (await readFile(file, 'utf8')).trim().split('\n')
  const changed = '"type":"access.changed","by":"command line"'
  assert.deepEqual(
    lines.map((line) => line.replace(/^\{"at":"[^"]*",/, '')),
    [
      `${changed},"action":"created","subject":"user bob"}`,
      `${changed},"action":"changed","subject":"user bob","reason":"password"}`,
      `${changed},"action":"deleted","subject":"user bob"}`,
    ],
  )
  await rm(file)
  await mkdir(file)
  assert.equal(user(data, ['add', 'bob', '--robot']).status, 1)
  assert.equal(user(data, ['list']).stdout, '')
})
