import assert from 'node:assert/strict'
import { test } from 'node:test'
import { command } from '../helpers/command.ts'
import { startTestRegistry } from '../helpers/registry.ts'
import { addUser, onAccess, userNamed } from '../helpers/users.ts'

test('a token is made for a user, printed alone, listed, works at once, and ends when it is revoked', async () => {
  await using registry = await startTestRegistry()
  const token = (...words: readonly string[]) => command(registry.dataDirectory, 'token', ...words)
  await addUser(registry, 'dev')
  await onAccess(registry, (store) => store.addUser(userNamed('ci', { kind: 'robot', passwordHash: undefined })))
  const made = await token('create', 'dev', '--expires', '30d', '--description', 'laptop', '--scope', 'artifact:ANY:r')
  assert.equal(made.exitCode, 0)
  const secret = made.stdout.trim()
  const [, id = ''] = secret.split('_')
  const until = new RegExp(`^its id is ${id}; it is good until (\\S+), for artifact:ANY:r\n$`).exec(made.stderr)?.[1]
  const days = (Date.parse(until ?? '') - Date.now()) / 86_400_000
  assert.ok(days > 29.9 && days <= 30)

  const client = registry.anonymous.withToken(secret)
  assert.equal((await client.ask('GET', '/v2/')).status, 200)
  assert.equal((await client.ask('POST', 'app/blobs/uploads/')).status, 403)
  const [ofRobot] = (await token('create', 'ci', '--expires', 'never')).stdout.split('_', 2).slice(1)
  const listed = (await token('list')).stdout
  assert.match(listed, new RegExp(`^${ofRobot}  access  ci  applied-permissions/user  for ever  never used$`, 'm'))
  assert.match(listed, new RegExp(`^${id}  access  dev  artifact:ANY:r  until ${until}  last used \\S+Z  laptop$`, 'm'))
  assert.ok(!listed.includes(secret.slice(21)))
  assert.deepEqual((await token('list', 'dev')).stdout.split('\n').length, 2)

  assert.equal((await token('revoke', id)).stdout, `revoked ${id}\n`)
  assert.equal((await client.ask('GET', '/v2/')).status, 401)
  const again = await token('revoke', id)
  const message = `caisson: there is no token with the id ${id}; "caisson token list" tells of them all\n`
  assert.deepEqual([again.exitCode, again.stderr], [1, message])

  const recorded = (await command(registry.dataDirectory, 'audit', '--by', 'command line')).stdout
  const told = recorded
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Readonly<Record<string, string>>)
  assert.deepEqual(
    told.map(({ type, subject, action, reason }) => [type, subject, action, reason]),
    [
      ['token.made', id, 'access', 'for dev'],
      ['token.made', ofRobot, 'access', 'for ci'],
      ['token.revoked', id, 'access', 'for dev'],
    ],
  )
  assert.ok(!recorded.includes(secret.slice(21)))
})

test('what would be good for nothing is refused', async () => {
  await using registry = await startTestRegistry()
  const token = (...words: readonly string[]) => command(registry.dataDirectory, 'token', ...words)
  for (const [words, exitCode, message] of [
    [['create', 'nobody'], 1, /^caisson: there is no user nobody/],
    [['create', 'admin', '--scope', 'all'], 1, /^caisson: the scope "all" is not understood: expected/],
    [
      ['create', 'admin', '--scope', 'artifact:docker-locl:r'],
      1,
      /^caisson: there is no repository "docker-locl"; did/,
    ],
    [['create', 'admin', '--expires', '1y'], 2, /expected a duration like 30d or 12h, 36500d at most, or never/],
    [['create', 'admin', '--expires', '0d'], 2, /expected a duration/],
  ] as const) {
    const refused = await token(...words)
    assert.equal(refused.exitCode, exitCode, words.join(' '))
    assert.match(refused.stderr, message)
    assert.equal(refused.stdout, '')
  }
  assert.equal((await token('list')).stdout, '')
})
