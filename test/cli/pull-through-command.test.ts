import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { stringify } from 'yaml'
import { command } from '../helpers/command.ts'
import { FaultyUpstream } from '../helpers/faulty-upstream.ts'
import { startTestRegistry } from '../helpers/registry.ts'
import { digestOfBytes, tinyImage } from '../helpers/tiny-image.ts'

test('images are fetched by the registry that runs, told of, and can be pulled without their upstream', async () => {
  await using upstream = await FaultyUpstream.start()
  const [amd64, arm64] = [tinyImage('amd64'), tinyImage('arm64')]
  for (const tag of ['20-alpine', '22-alpine']) upstream.content.push('library/node', tag, tinyImage(tag))
  upstream.content.index('library/nginx', '1.27', { 'linux/amd64': amd64, 'linux/arm64': arm64 })
  const repositories = { 'docker-local': { type: 'local' }, hub: { type: 'remote', url: upstream.url } }
  await using registry = await startTestRegistry({ repositories })
  const config = join(registry.dataDirectory, 'caisson.yaml')
  await writeFile(config, stringify({ registry: { repositories } }))
  const pullThrough = (...words: readonly string[]) =>
    command(registry.dataDirectory, 'pull-through', ...words, '--config', config)

  const fetched = await pullThrough('hub/library/nginx:1.27', 'hub/library/node:2?-alpine', '--platform', 'linux/amd64')
  assert.equal(fetched.exitCode, 0, fetched.stderr)
  const [nginx, node] = fetched.stdout.split('\n')
  assert.match(nginx ?? '', /^hub\/library\/nginx:1\.27: 4 fetched \([\d.]+ (?:B|KiB)\), 0 were there already$/)
  assert.match(node ?? '', /^hub\/library\/node:2\?-alpine: 6 fetched \([\d.]+ (?:B|KiB)\), 0 were there already$/)
  const again = await pullThrough('hub/library/nginx:1.27', '--platform', 'linux/amd64')
  assert.equal(again.stdout, 'hub/library/nginx:1.27: 0 fetched (0 B), 4 were there already\n')

  await upstream.stop()
  const client = registry.anonymous.at('/artifactory/api/docker/hub/v2')
  for (const blob of amd64.blobs)
    assert.equal((await client.ask('GET', `library/nginx/blobs/${digestOfBytes(blob)}`)).status, 200)
  assert.equal((await client.ask('GET', `library/nginx/manifests/${arm64.digest}`)).status, 404)

  for (const [image, exitCode, message] of [
    ['hub', 2, /"hub" is not <repository key>\/<image>:<tag>/],
    ['nohub/app:1', 1, /^caisson: nohub\/app:1: there is no repository "nohub"\n$/],
    ['hub/library/other:1', 1, /^caisson: hub\/library\/other:1: not cached here, and .* the connection is refused\n$/],
  ] as const) {
    const refused = await pullThrough(image)
    assert.equal(refused.exitCode, exitCode, image)
    assert.match(refused.stderr, message)
  }
  assert.equal((await command(registry.dataDirectory, 'token', 'list', 'admin')).stdout, '') // it kept no token

  await registry.running.stop()
  const nobody = await pullThrough('hub/library/nginx:1.27')
  assert.deepEqual(
    [nobody.exitCode, nobody.stderr],
    [1, `caisson: no registry answers on unix:${registry.socket}: start it, or name its configuration with --config\n`],
  )
  await registry.restart()
})
