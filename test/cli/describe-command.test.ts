import assert from 'node:assert/strict'
import { test } from 'node:test'
import { command } from '../helpers/command.ts'
import { startTestRegistry } from '../helpers/registry.ts'
import { tinyImage } from '../helpers/tiny-image.ts'

test('an image is described beside a running registry, where it counts at once', async () => {
  await using registry = await startTestRegistry()
  const describe = (...words: readonly string[]) => command(registry.dataDirectory, 'describe', ...words)
  await registry.admin.push('team/app', 'v1', tinyImage('one'))

  assert.deepEqual(await describe('docker-local/team/app'), { exitCode: 0, stdout: '\n', stderr: '' })
  assert.deepEqual(await describe('docker-local/team/app', 'What we sell'), { exitCode: 0, stdout: '', stderr: '' })
  assert.equal((await describe('docker-local/team/app')).stdout, 'What we sell\n')
  const found = await registry.anonymous.ask('GET', '/artifactory/api/docker/docker-local/v1/search?q=sell')
  assert.match(found.body.toString(), /"name":"team\/app","description":"What we sell"/)
  await describe('docker-local/team/app', '')
  assert.equal((await describe('docker-local/team/app')).stdout, '\n')

  for (const [words, message] of [
    [['docker-local/team/ap'], 'there is no image team/ap in the repository docker-local'],
    [['docker-locl/app'], 'there is no repository docker-locl; did you mean "docker-local"?'],
    [['docker-local'], '"docker-local" is no image: expected <repository>/<image>'],
    [['docker/team/app'], 'docker is a virtual repository: describe the image in the one of its members that has it'],
    [['docker-local/team/app', 'x'.repeat(2401)], 'a value of a property is too long: expected at most 2400 bytes'],
  ] as const) {
    const { exitCode, stderr } = await describe(...words)
    assert.deepEqual([exitCode, stderr], [1, `caisson: ${message}\n`])
  }
})
