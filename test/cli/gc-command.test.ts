import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { startTestRegistry, type TestRegistry } from '../helpers/registry.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { digestOfBytes, tinyImage } from '../helpers/tiny-image.ts'

const launcher = fileURLToPath(new URL('../../cli/caisson.js', import.meta.url))
/** What nothing holds goes at once, but only when it is asked for. */
const section = {
  garbageCollection: { grace: '0s', every: '24d' },
  repositories: { 'docker-local': { type: 'local', keepUntagged: '0s' } },
}
const tagged = tinyImage('tagged')
const untagged = tinyImage('untagged')
const loose = Buffer.from('loose')
const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`

/** A registry that has an image with a tag, one without, and a blob that no manifest names. */
async function pushed(): Promise<TestRegistry> {
  const registry = await startTestRegistry(section)
  await registry.admin.push('app', 'v1', tagged)
  await registry.admin.push('app', untagged.digest, untagged)
  await registry.admin.pushBlob('app', loose)
  await writeFile(join(registry.dataDirectory, 'caisson.yaml'), stringify({ registry: section }))
  return registry
}

function gc(data: string, ...words: readonly string[]) {
  const args = [launcher, 'gc', ...words, '--config', join(data, 'caisson.yaml'), '--data', data]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 })
  return { status, stdout, stderr }
}

interface Garbage {
  readonly manifests: readonly { readonly of: unknown; readonly digest: string; readonly since: string }[]
  readonly links: readonly { readonly of: unknown; readonly digest: string }[]
  readonly blobs: readonly { readonly digest: string; readonly size: number }[]
}

function gcAsJson(data: string, ...words: readonly string[]): Garbage {
  const { stdout, stderr } = gc(data, '--json', ...words)
  assert.equal(stderr, '')
  return JSON.parse(stdout) as Garbage
}

async function digestsIn(registry: TestRegistry): Promise<readonly string[]> {
  return (await registry.blobs()).map((name) => `sha256:${name}`).sort()
}

const digestsOf = (blobs: readonly Buffer[]): readonly string[] => blobs.map((blob) => digestOfBytes(blob)).sort()

test('what would go is told with the reason and the time, and stays; then it goes, off the disk too', async () => {
  await using registry = await pushed()
  await registry.running.stop()
  const data = registry.dataDirectory
  const reasons = [
    `manifest docker-local/app@${untagged.digest}: no tag, and nothing that refers to it, since ${time}`,
    `blob ${digestOfBytes(loose)} in docker-local/app: no manifest there names it since ${time}`,
  ]
  const dry = gc(data, '--dry-run')
  assert.deepEqual([dry.status, dry.stderr], [0, ''])
  const sum = 'would remove 1 manifests, 1 blobs from images, and 0 blobs of 0 bytes from the store'
  const later = 'what only these held goes in later rounds, 0s from then'
  assert.match(dry.stdout, new RegExp(`^${[...reasons, sum, later].join('\n')}\n$`))
  assert.equal(gc(data, '--dry-run').stdout, dry.stdout)
  assert.deepEqual(await digestsIn(registry), digestsOf([...tagged.blobs, ...untagged.blobs, loose]))

  const rounds = [gc(data), gc(data), gc(data)]
  assert.deepEqual(
    rounds.map(({ status, stderr }) => [status, stderr]),
    [
      [0, ''],
      [0, ''],
      [0, ''],
    ],
  )
  const said = rounds.map(({ stdout }) => stdout).join('')
  for (const reason of [...reasons, `blob ${digestOfBytes(loose)}, 5 bytes: no image has it since ${time}`])
    assert.match(said, new RegExp(`^${reason}$`, 'm'))
  assert.deepEqual(await digestsIn(registry), digestsOf(tagged.blobs))
  assert.equal(gc(data).stdout, 'removed 0 manifests, 0 blobs from images, and 0 blobs of 0 bytes from the store\n')
})

test('a script is told the same as one JSON object', async () => {
  await using registry = await pushed()
  await registry.running.stop()
  const data = registry.dataDirectory
  const of = { repository: 'docker-local', image: 'app' }
  const { manifests, links, blobs } = gcAsJson(data, '--dry-run')
  const [manifest] = manifests
  const size = untagged.manifest.length
  assert.deepEqual(manifests, [{ of, digest: untagged.digest, size, since: manifest?.since }])
  assert.match(manifest?.since ?? '', new RegExp(`^${time}$`))
  assert.deepEqual(
    links.map((link) => [link.of, link.digest]),
    [[of, digestOfBytes(loose)]],
  )
  assert.deepEqual(blobs, [])

  const rounds = [gcAsJson(data), gcAsJson(data), gcAsJson(data)]
  const garbage = [...untagged.blobs, loose]
  assert.deepEqual(
    rounds.flatMap((round) => round.manifests),
    manifests,
  )
  assert.deepEqual(rounds.flatMap((round) => round.links.map(({ digest }) => digest)).sort(), digestsOf(garbage))
  assert.deepEqual(rounds.flatMap((round) => round.blobs.map(({ digest }) => digest)).sort(), digestsOf(garbage))
})

test('beside a registry that runs nothing is removed, and who wants that at once is told what to do', async () => {
  await using registry = await pushed()
  const data = registry.dataDirectory
  const advice =
    `caisson: a registry runs on ${data} and collects by itself, 24d after each round; an admin can have it do so at once: ` +
    'POST /artifactory/api/system/storage/gc\n'
  assert.deepEqual(gc(data), { status: 1, stdout: '', stderr: advice })
  assert.equal((await registry.blobs()).length, 5)
  assert.equal(gcAsJson(data, '--dry-run').manifests.length, 1)
})

test('a blob that cannot be deleted is named, and the command has failed', async () => {
  await using registry = await pushed()
  await registry.running.stop()
  const data = registry.dataDirectory
  const digest = digestOfBytes(loose)
  const hex = digest.slice('sha256:'.length)
  const file = join(data, 'blobs', 'sha256', hex.slice(0, 2), hex)
  await rm(file)
  await mkdir(file) // is no file, and so cannot be unlinked
  const failed = [gc(data), gc(data), gc(data)].find(({ status }) => status !== 0)
  assert.equal(failed?.status, 1)
  assert.match(failed.stderr, new RegExp(`^${digest} could not be deleted: `))
})

test('a data directory that nobody has started on is named, and nothing is made in it', async () => {
  await using directory = await temporaryDirectory()
  await writeFile(join(directory.path, 'caisson.yaml'), '')
  for (const words of [[], ['--dry-run']]) {
    const { status, stderr } = gc(directory.path, ...words)
    assert.equal(status, 1)
    assert.match(
      stderr,
      /caisson: .*caisson\.db does not exist yet: start caisson once, or name its data directory with --data/,
    )
  }
  assert.deepEqual(await readdir(directory.path), ['caisson.yaml'])
})
