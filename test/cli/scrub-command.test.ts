import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { adminOf, startCaisson } from '../helpers/caisson.ts'
import { command } from '../helpers/command.ts'
import { rot } from '../helpers/rot.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { digestOfBytes, tinyImage } from '../helpers/tiny-image.ts'

const image = tinyImage('one')
const [config = Buffer.alloc(0), layer = Buffer.alloc(0)] = image.blobs
const digest = digestOfBytes(layer)
const hex = digest.slice('sha256:'.length)

test('rot is found while the registry runs, kept from clients, and healed by a push', async () => {
  await using caisson = await startCaisson()
  const client = await adminOf(caisson)
  await client.push('app', 'v1', image)
  await client.push('other', 'v2', image)
  const data = caisson.dataDirectory
  const fine = await command(data, 'scrub')
  const size = config.length + layer.length
  assert.deepEqual(fine, {
    exitCode: 0,
    stdout: `2 blobs of ${size} B and 2 manifests read: all are right\n`,
    stderr: '',
  })

  await rot(join(data, 'blobs', 'sha256', hex.slice(0, 2), hex))
  const { exitCode, stdout } = await command(data, 'scrub')
  assert.equal(exitCode, 1)
  assert.deepEqual(stdout.split('\n'), [
    `blob ${digest} of ${layer.length} bytes: wrong bytes, now in quarantine`,
    `  docker-local/app@${image.digest}, tagged v1`,
    `  docker-local/other@${image.digest}, tagged v2`,
    `2 blobs of ${size} B and 2 manifests read: 1 are wrong, which hits 2 images; a push of the same bytes puts each right again`,
    '',
  ])
  assert.ok(existsSync(join(data, 'quarantine', `sha256-${hex}`)))
  for (const method of ['GET', 'HEAD'])
    assert.equal((await client.ask(method, `app/blobs/${digest}`)).status, 404, method)
  assert.equal((await client.ask('POST', `new/blobs/uploads/?mount=${digest}&from=app`)).status, 202)

  await client.push('app', 'v1', image)
  const pulled = await client.ask('GET', `other/blobs/${digest}`)
  assert.deepEqual([pulled.status, pulled.body], [200, layer])
  assert.equal((await command(data, 'scrub')).exitCode, 0)
})

test('what is wrong is told as JSON too, at the rate asked for', async () => {
  await using caisson = await startCaisson()
  const client = await adminOf(caisson)
  await client.push('app', 'v1', image)
  await caisson.stop()
  await rot(join(caisson.dataDirectory, 'blobs', 'sha256', hex.slice(0, 2), hex))
  const { stdout } = await command(caisson.dataDirectory, 'scrub', '--json', '--rate', '1GiB/s')
  const { wrong } = JSON.parse(stdout) as { readonly wrong: unknown }
  const manifests = [{ digest: image.digest, tags: ['v1'] }]
  const holders = [{ of: { repository: 'docker-local', image: 'app' }, manifests }]
  assert.deepEqual(wrong, [{ digest, size: layer.length, problem: 'wrong bytes', knownBefore: false, holders }])
})

test('a rate that is none, and a directory without a database, are told what was expected', async () => {
  await using directory = await temporaryDirectory()
  const badRate = await command(directory.path, 'scrub', '--rate', 'fast')
  assert.equal(badRate.exitCode, 2)
  assert.match(badRate.stderr, /expected a size a second, like 50MiB\/s/)
  const nothing = await command(directory.path, 'scrub')
  assert.equal(nothing.exitCode, 1)
  assert.match(nothing.stderr, /caisson\.db does not exist yet/)
})
