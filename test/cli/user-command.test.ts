import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
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
