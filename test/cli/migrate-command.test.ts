import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { test } from 'node:test'
import { command } from '../helpers/command.ts'
import { startTestRegistry } from '../helpers/registry.ts'
import { payloadSum, pushV1, v1Image } from '../helpers/v1-client.ts'

test('caisson migrate has the running registry migrate a tag, an image or all, and tells what could not go', async () => {
  await using registry = await startTestRegistry({
    repositories: { 'docker-v1': { type: 'local', apiVersion: 'v1' }, 'docker-local': { type: 'local' } },
  })
  const v1 = registry.admin.at('/artifactory/api/docker/docker-v1/v1')
  const base = v1Image('base')
  const layer = gzipSync('short')
  const json = JSON.stringify({ id: '0123456789abcdef' })
  await pushV1(v1, 'team/app', '1', [base, v1Image('app', base)])
  await pushV1(v1, 'team/app', '2', [base])
  await pushV1(v1, 'ubuntu', '12.04', [{ id: '0123456789abcdef', json, layer, payload: payloadSum(json, layer) }])
  const config = join(registry.dataDirectory, 'caisson.yaml')
  await writeFile(config, JSON.stringify({ registry: { listen: [`unix:${registry.socket}`] } }))
  const migrate = async (...words: readonly string[]) => {
    const { exitCode, stdout, stderr } = await command(registry.dataDirectory, 'migrate', ...words, '--config', config)
    return { exitCode, lines: stdout.split('\n').filter(Boolean), stderr }
  }

  assert.deepEqual(await migrate('docker-v1/team/app:1', 'docker-local'), {
    exitCode: 0,
    lines: ['docker-v1/team/app:1: 1 migrated, 0 were there already, 0 failed'],
    stderr: '',
  })
  const whole = await migrate('docker-v1/team/app', 'docker-local', '--watch')
  assert.deepEqual(whole.lines, [
    'team/app:1: there already',
    'team/app:2: migrated',
    'docker-v1/team/app: 1 migrated, 1 were there already, 0 failed',
  ])
  const all = await migrate('docker-v1', 'docker-local', '--format', 'schema1', '--drop-library')
  assert.equal(all.exitCode, 1)
  assert.match(all.lines[0] ?? '', /^library\/ubuntu:12\.04: .*0123456789abcdef has a short id/)
  assert.equal(all.lines[1], 'docker-v1: 2 migrated, 0 were there already, 1 failed')

  for (const [words, exitCode, message] of [
    [['docker-v1:1', 'docker-local'], 2, /"docker-v1:1" is not <repository key>/],
    [['docker-v1/no/such', 'docker-local'], 1, /^caisson: docker-v1\/no\/such: there is no no\/such in docker-v1/],
    [['docker-local', 'docker-v1'], 1, /no V1 repository|speaks the V1 API/],
    [['docker-v1', 'docker-local', '--format', 'oci'], 2, /schema2, schema1/],
  ] as const) {
    const refused = await migrate(...words)
    assert.equal(refused.exitCode, exitCode, refused.stderr)
    assert.match(refused.stderr, message)
  }
})
