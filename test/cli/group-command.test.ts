import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { command } from '../helpers/command.ts'
import { emptyDataDirectory } from '../helpers/database.ts'
import { addUser } from '../helpers/users.ts'

test('groups are added, joined, left, listed and removed', async () => {
  await using data = await emptyDataDirectory()
  const group = (...words: readonly string[]) => command(data.path, 'group', ...words)
  await addUser({ dataDirectory: data.path }, 'alice')
  await addUser({ dataDirectory: data.path }, 'bob')

  assert.equal((await group('add', 'devs', '--description', 'develop')).stdout, 'added the group devs\n')
  assert.equal((await group('add', 'ops', '--admins')).stdout, 'added the group ops\n')
  assert.equal((await group('add', 'all', '--auto-join')).exitCode, 0)
  assert.equal((await group('join', 'devs', 'bob', 'alice')).stdout, 'bob, alice joined devs\n')
  const listed = 'all (new users join): nobody\ndevs: alice, bob\nops (admins): nobody\n'
  assert.equal((await group('list')).stdout, listed)
  assert.equal((await group('leave', 'devs', 'bob')).stdout, 'bob left devs\n')
  assert.equal((await group('remove', 'ops')).stdout, 'removed the group ops\n')
  assert.equal((await group('list')).stdout, 'all (new users join): nobody\ndevs: alice\n')

  for (const [words, message] of [
    [['add', 'devs'], 'there is a group devs already'],
    [['add', '-x'], undefined],
    [
      ['add', 'anonymous'],
      '"anonymous" is not a group name: expected at most 64 letters, digits, ".", "_", "-" and "@", beginning with a letter or digit, and not "anonymous"',
    ],
    [['join', 'dev', 'alice'], 'there is no group dev; did you mean "devs"?'],
    [['join', 'devs', 'alicia'], 'there is no user alicia; did you mean "alice"?'],
    [['leave', 'devs', 'bob'], 'bob is not in the group devs'],
    [['remove', 'dev'], 'there is no group dev; did you mean "devs"?'],
  ] as const) {
    const { exitCode, stderr } = await group(...words)
    if (message === undefined) assert.equal(exitCode, 2)
    else assert.deepEqual([exitCode, stderr], [1, `caisson: ${message}\n`])
  }
  const recorded = (await command(data.path, 'audit')).stdout.split('\n').filter(Boolean)
  const told = recorded.map((line) => JSON.parse(line) as Readonly<Record<string, string>>)
  assert.deepEqual(
    told.map(({ by, subject, action, reason }) => [by, subject, action, reason].filter(Boolean).join(' ')),
    [
      'command line group devs created',
      'command line group ops created',
      'command line group all created',
      'command line user bob changed joins devs',
      'command line user alice changed joins devs',
      'command line user bob changed leaves devs',
      'command line group ops deleted',
    ],
  )
})

test('what the configuration file names is listed, and changed there alone; its passwords are not asked for', async () => {
  await using data = await emptyDataDirectory()
  const config = join(data.path, 'caisson.yaml')
  await writeFile(
    config,
    `registry:
  users: { root: { password: { env: NOT_SET }, groups: [ops] } }
  groups: { ops: {} }
`,
  )
  const group = (...words: readonly string[]) => command(data.path, 'group', ...words, '--config', config)
  assert.equal((await group('list')).stdout, 'ops (in the configuration file): root\n')
  const refused = await group('remove', 'ops')
  assert.equal(refused.exitCode, 1)
  assert.match(refused.stderr, /^caisson: the group ops is named in the configuration file: change it there/)
  assert.match((await group('leave', 'ops', 'root')).stderr, /^caisson: the user root is named in the configuration/)
})
