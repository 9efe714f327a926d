import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { command } from '../helpers/command.ts'
import { startTestRegistry } from '../helpers/registry.ts'
import { tinyImage } from '../helpers/tiny-image.ts'
import { addUser, onAccess } from '../helpers/users.ts'

test('targets are set, shown, listed and removed beside a running registry, where they count at once', async () => {
  await using registry = await startTestRegistry()
  const permission = (...words: readonly string[]) => command(registry.dataDirectory, 'permission', ...words)
  const dev = registry.anonymous.as(await addUser(registry, 'dev'))
  await registry.admin.push('app', 'v1', tinyImage('a'))
  await registry.admin.push('secret/app', 'v1', tinyImage('a'))

  await onAccess(registry, (access) => access.removeTarget('Any Remote'))
  assert.equal((await permission('remove', 'Anything')).stdout, 'removed Anything\n')
  assert.equal((await dev.ask('GET', 'app/manifests/v1')).status, 403)
  const set = ['set', 'Apps', '--repository', 'docker-local', '--repository', 'ANY REMOTE', '--exclude', 'secret/**']
  const granted = ['--user', 'dev=read,deploy', '--user', 'anonymous=read', '--group', 'users=manage']
  assert.equal((await permission(...set, ...granted)).stdout, 'made Apps\n')
  assert.equal((await dev.ask('GET', 'app/manifests/v1')).status, 200)
  assert.equal((await dev.ask('GET', 'secret/app/manifests/v1')).status, 403)
  assert.equal((await permission('list')).stdout, 'Apps\n')
  assert.equal(
    (await permission('show', 'Apps')).stdout,
    `Apps
  repository docker-local
  repository ANY REMOTE
  include **
  exclude secret/**
  user anonymous=read
  user dev=read,deploy
  group users=manage
`,
  )
  const again = await permission('set', 'Apps', '--repository', 'ANY', '--include', 'team/**', '--include', 'app/**')
  assert.equal(again.stdout, 'replaced Apps\n')
  assert.equal((await dev.ask('GET', 'app/manifests/v1')).status, 403)

  const { entries } = (await registry.admin.ask('GET', '/artifactory/api/security/audit?by=command%20line')).json() as {
    readonly entries: readonly Readonly<Record<string, string>>[]
  }
  assert.deepEqual(
    entries.map(({ type, subject, action }) => [type, subject, action]),
    [
      ['access.changed', 'permission Apps', 'changed'],
      ['access.changed', 'permission Apps', 'created'],
      ['access.changed', 'permission Anything', 'deleted'],
    ],
  )
})

test('what cannot be is refused with what is expected', async () => {
  await using registry = await startTestRegistry()
  const permission = (...words: readonly string[]) => command(registry.dataDirectory, 'permission', ...words)
  for (const [words, exitCode, message] of [
    [['set', 'A'], 2, /^error: name at least one --repository, or ANY$/m],
    [['set', 'A', '--repository', 'docker-locl'], 1, /^caisson: there is no repository "docker-locl"; did you mean/],
    [['set', 'A', '--repository', 'ANY', '--include', '/a'], 1, /^caisson: "\/a" is not a pattern/],
    [['set', 'A', '--repository', 'ANY', '--user', 'dev'], 2, /expected a name, "=", and actions/],
    [['set', 'A', '--repository', 'ANY', '--user', 'dev=write'], 2, /"write" is no action; known are read, annotate/],
    [['set', 'A', '--repository', 'ANY', '--group', 'anonymous=read'], 2, /expected a name/],
    [['set', '_', '--repository', 'ANY'], 1, /^caisson: "_" is not a permission target name/],
    [['show', 'Anythin'], 1, /^caisson: there is no permission target Anythin; did you mean "Anything"\?$/m],
    [['check', 'dev', 'pull', 'docker-local/app'], 2, /Allowed choices are read, annotate, deploy, delete, manage/],
  ] as const) {
    const refused = await permission(...words)
    assert.equal(refused.exitCode, exitCode, words.join(' '))
    assert.match(refused.stderr, message)
  }
})

test('check says whether somebody may do something, and by which target', async () => {
  await using registry = await startTestRegistry()
  const config = join(registry.dataDirectory, 'caisson.yaml')
  await writeFile(config, 'registry: { forceAuthentication: [docker-v1] }')
  const permission = (...words: readonly string[]) =>
    command(registry.dataDirectory, 'permission', ...words, '--config', config)
  const check = async (...words: readonly string[]) => {
    const { exitCode, stdout, stderr } = await permission('check', ...words)
    assert.equal(stderr, '')
    return [exitCode, ...stdout.trimEnd().split('\n')]
  }
  await addUser(registry, 'dev')
  await onAccess(registry, (store) => store.setGroupsOf('dev', ['users']))
  await permission('set', 'Releases', '--repository', 'docker-local', '--include', '**/v*', '--user', 'dev=manage')

  const anything = '  Anything: everybody has read; the group users has read, annotate, deploy, delete'
  assert.deepEqual(await check('dev', 'deploy', 'docker-local/app:x'), [
    0,
    'yes: dev has deploy on docker-local/app:x',
    anything,
  ])
  assert.deepEqual(await check('dev', 'manage', 'docker-local/app'), [
    1,
    'depends on the tag: dev has manage on some tags of docker-local/app',
    '  Releases: the user dev has manage',
  ])
  assert.deepEqual(await check('dev', 'manage', 'docker-local/app:x'), [
    1,
    'no: dev does not have manage on docker-local/app:x',
    anything,
  ])
  assert.deepEqual((await check('dev', 'manage', 'docker-local/team/app:v1'))[0], 0)
  assert.deepEqual(await check('anonymous', 'deploy', 'docker-local/app'), [
    1,
    'no: anonymous does not have deploy on docker-local/app',
    '  Anything: everybody has read',
  ])
  assert.deepEqual(await check('anonymous', 'read', 'docker-v1/app'), [
    1,
    'no: anonymous does not have read on docker-v1/app',
    '  whoever has not logged in is asked to there',
  ])
  assert.deepEqual(await check('admin', 'delete', 'docker-local/app'), [
    0,
    'yes: admin is an admin, who may do everything',
  ])
  for (const [words, message] of [
    [['nobody', 'read', 'docker-local/app'], /^caisson: there is no user nobody/],
    [['dev', 'read', 'docker-loca/app'], /^caisson: there is no repository docker-loca; did you mean "docker-local"\?/],
    [['dev', 'read', 'docker-local'], /^caisson: "docker-local" is no image: expected <repository>\/<image>/],
    [['dev', 'read', 'docker-local/App'], /^caisson: not an image name/],
  ] as const) {
    const refused = await permission('check', ...words)
    assert.equal(refused.exitCode, 1)
    assert.match(refused.stderr, message)
  }
})
