import assert from 'node:assert/strict'
import { appendFile, mkdir, readdir, readFile, rename, rm, stat, symlink, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { readBackupNote } from '../../registry/jobs/backup-note.ts'
import { isLockFile } from '../../registry/storage/process-lock.ts'
import { beginRestore } from '../../registry/jobs/unfinished-restore.ts'
import { command } from '../helpers/command.ts'
import { startTestRegistry, type TestRegistry } from '../helpers/registry.ts'
import { rot } from '../helpers/rot.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { noTinyFilesystem, tinyFilesystem } from '../helpers/tiny-filesystem.ts'
import { digestOfBytes, tinyImage } from '../helpers/tiny-image.ts'

const image = tinyImage('one')
const [, layer = Buffer.alloc(0)] = image.blobs
const layerDigest = digestOfBytes(layer)

/** A registry that runs and has one image, and a directory for what is made of it. */
async function withImage() {
  await using opened = new AsyncDisposableStack()
  const registry = opened.use(await startTestRegistry())
  const { path } = opened.use(await temporaryDirectory())
  await registry.admin.push('app', 'v1', image)
  const all = opened.move()
  return {
    registry,
    backup: join(path, 'backup'),
    elsewhere: join(path, 'elsewhere'),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

function blobIn(directory: string, digest: string): string {
  const hex = digest.slice('sha256:'.length)
  return join(directory, 'blobs', 'sha256', hex.slice(0, 2), hex)
}

async function inodeOf(file: string): Promise<number> {
  return (await stat(file)).ino
}

async function assertServes(registry: TestRegistry, tag: string): Promise<void> {
  const manifest = await registry.admin.ask('GET', `app/manifests/${tag}`)
  assert.deepEqual([manifest.status, manifest.body], [200, image.manifest])
  for (const blob of image.blobs) {
    const pulled = await registry.admin.ask('GET', `app/blobs/${digestOfBytes(blob)}`)
    assert.deepEqual([pulled.status, pulled.body], [200, blob])
  }
}

test('a backup of a running registry, restored elsewhere, serves what it had then, to the users it had', async () => {
  await using world = await withImage()
  const { registry, backup, elsewhere } = world
  const upload = await registry.admin.beginUpload('app')
  const made = await command(registry.dataDirectory, 'backup', backup)
  assert.deepEqual([made.exitCode, made.stderr], [0, ''])
  const sum = `has everything as it was at .*Z: 2 blobs of ${image.blobs.join('').length} B`
  assert.match(made.stdout, new RegExp(`^${backup} ${sum}, as hard links: the bytes are shared with the store\n$`))
  assert.equal(await inodeOf(blobIn(backup, layerDigest)), await inodeOf(blobIn(registry.dataDirectory, layerDigest)))
  assert.equal((await stat(join(backup, 'caisson.db'))).mode & 0o777, 0o600)
  await registry.admin.push('app', 'later', tinyImage('later'))

  const restored = await command(elsewhere, 'restore', backup)
  assert.deepEqual([restored.exitCode, restored.stderr], [0, ''])
  assert.match(restored.stdout, new RegExp(`^${elsewhere} ${sum}; start it with caisson serve\n$`))
  assert.notEqual(await inodeOf(blobIn(elsewhere, layerDigest)), await inodeOf(blobIn(backup, layerDigest)))
  assert.ok(!(await readdir(elsewhere)).includes('restore-unfinished'))

  await using there = await startTestRegistry({}, elsewhere)
  await assertServes(there, 'v1')
  assert.equal((await there.admin.ask('GET', 'app/manifests/later')).status, 404)
  assert.equal((await there.admin.ask('GET', upload)).status, 404)
  assert.deepEqual(await there.uploads(), [])
  await there.admin.push('app', 'pushed', image)
})

test('a backup of a registry that is stopped is made too, with copies where they are asked for', async () => {
  await using world = await withImage()
  const { registry, backup, elsewhere } = world
  await registry.running.stop()
  const made = await command(registry.dataDirectory, 'backup', backup, '--copy', '--json')
  assert.equal(made.exitCode, 0, made.stderr)
  const { format, blobs, lost, copied } = JSON.parse(made.stdout) as Readonly<Record<string, unknown>>
  assert.deepEqual({ format, blobs, lost, copied }, { format: 1, blobs: 2, lost: [], copied: true })
  assert.notEqual(
    await inodeOf(blobIn(backup, layerDigest)),
    await inodeOf(blobIn(registry.dataDirectory, layerDigest)),
  )
  const restored = await command(elsewhere, 'restore', backup, '--link', '--verify')
  assert.equal(restored.exitCode, 0, restored.stderr)
  assert.equal(await inodeOf(blobIn(elsewhere, layerDigest)), await inodeOf(blobIn(backup, layerDigest)))
})

test('a blob that is lost is told with its images, and the rest is in the backup', async () => {
  await using world = await withImage()
  const { registry, backup, elsewhere } = world
  await unlink(blobIn(registry.dataDirectory, layerDigest))
  const made = await command(registry.dataDirectory, 'backup', backup)
  assert.equal(made.exitCode, 1)
  assert.deepEqual(made.stdout.split('\n').slice(0, 2), [
    `blob ${layerDigest}: missing or cut short, and not in the backup`,
    `  docker-local/app@${image.digest}, tagged v1`,
  ])
  assert.equal((await command(elsewhere, 'restore', backup)).exitCode, 0)
  await using there = await startTestRegistry({}, elsewhere)
  assert.equal((await there.admin.ask('GET', `app/blobs/${layerDigest}`)).status, 404)
  assert.equal((await there.admin.ask('GET', 'app/manifests/v1')).status, 200)
  await there.admin.push('app', 'v1', image)
  await assertServes(there, 'v1')
})

test('what has rotted in the backup is found with --verify, and a shorter file without it', async () => {
  await using world = await withImage()
  const { registry, backup, elsewhere } = world
  await command(registry.dataDirectory, 'backup', backup, '--copy')
  const told = [
    `blob ${layerDigest}: not in the backup as it was; a push of the same bytes puts it right`,
    `  docker-local/app@${image.digest}, tagged v1`,
  ]
  await rot(blobIn(backup, layerDigest))
  const verified = await command(elsewhere, 'restore', backup, '--verify')
  assert.equal(verified.exitCode, 1)
  assert.deepEqual(verified.stdout.split('\n').slice(0, 2), told)
  assert.match(verified.stdout, /: 2 blobs of \d+ B, without those above; start it/)

  await appendFile(blobIn(backup, layerDigest), 'more')
  const compared = await command(`${elsewhere}-2`, 'restore', backup)
  assert.equal(compared.exitCode, 1)
  assert.deepEqual(compared.stdout.split('\n').slice(0, 2), told)
})

test('a backup is made in a new directory only, and restored where nothing is', async () => {
  await using world = await withImage()
  const { registry, backup, elsewhere } = world
  await mkdir(backup)
  await writeFile(join(backup, 'precious'), '')
  const refused = await command(registry.dataDirectory, 'backup', backup)
  assert.deepEqual(
    [refused.exitCode, refused.stderr],
    [1, `caisson: ${backup} has something in it: a backup is made in a new directory\n`],
  )
  await rm(join(backup, 'precious'))
  assert.equal((await command(registry.dataDirectory, 'backup', backup)).exitCode, 0)

  const running = await command(registry.dataDirectory, 'restore', backup)
  assert.equal(running.exitCode, 1)
  assert.match(running.stderr, /another caisson works on .*: stop it first, or name another directory with --data/)
  await registry.running.stop()
  const taken = await command(registry.dataDirectory, 'restore', backup)
  assert.equal(taken.exitCode, 1)
  assert.match(
    taken.stderr,
    /is there already: a backup is restored where nothing is yet; move it away, or name another --data/,
  )

  await rm(join(backup, 'backup.json'))
  const interrupted = await command(elsewhere, 'restore', backup)
  assert.equal(interrupted.exitCode, 1)
  assert.match(
    interrupted.stderr,
    /backup\.json does not exist: the directory is no backup, or one that was interrupted/,
  )
  await writeFile(join(backup, 'backup.json'), '{"format":2}')
  assert.match((await command(elsewhere, 'restore', backup)).stderr, /was made by a newer version of caisson/)
  await writeFile(join(backup, 'backup.json'), '{"format":1}')
  assert.match(
    (await command(elsewhere, 'restore', backup)).stderr,
    /backup\.json is none that this version can read: /,
  )
  await writeFile(join(backup, 'backup.json'), '')
  assert.match(
    (await command(elsewhere, 'restore', backup)).stderr,
    /backup\.json is none that this version can read: /,
  )
})

test('no registry starts where a restore was interrupted, until it has come to its end', async () => {
  await using world = await withImage()
  const { registry, backup, elsewhere } = world
  await command(registry.dataDirectory, 'backup', backup)
  await interruptRestore(backup, elsewhere)
  const interrupted = /a restore into .* was interrupted: run it again, or remove the directory/
  await assert.rejects(startTestRegistry({}, elsewhere), interrupted)
  for (const other of ['gc', 'scrub', 'user list'])
    assert.match((await command(elsewhere, ...other.split(' '))).stderr, interrupted)
  const again = await command(elsewhere, 'restore', backup)
  assert.equal(again.exitCode, 0, again.stderr)
  await using there = await startTestRegistry({}, elsewhere)
  await assertServes(there, 'v1')
})

test('an interrupted restore is gone on with by the same backup to the same place alone', async () => {
  await using world = await withImage()
  const { registry, backup, elsewhere } = world
  await command(registry.dataDirectory, 'backup', backup)
  await command(registry.dataDirectory, 'backup', `${backup}-2`)
  await interruptRestore(backup, elsewhere)
  const other = await command(elsewhere, 'restore', `${backup}-2`)
  assert.equal(other.exitCode, 1)
  assert.match(
    other.stderr,
    /restore-unfinished says: A restore of the backup of .* has not come to its end\. Run that one again/,
  )
  const database = join(registry.dataDirectory, 'caisson.db')
  const config = join(elsewhere, '..', 'caisson.yaml')
  await writeFile(config, `registry: { database: 'sqlite:${database}' }\n`)
  await registry.running.stop()
  const overwriting = await command(elsewhere, 'restore', backup, '--config', config)
  assert.equal(overwriting.exitCode, 1)
  assert.match(overwriting.stderr, /restore-unfinished says: /)
  await registry.restart()
  await assertServes(registry, 'v1')
})

/** As far as a restore has come when it is killed right at its beginning. */
async function interruptRestore(backup: string, elsewhere: string): Promise<void> {
  const places = { dataDirectory: elsewhere, database: join(elsewhere, 'caisson.db'), blobs: join(elsewhere, 'blobs') }
  await mkdir(elsewhere)
  await writeFile(join(elsewhere, 'restore-unfinished.partial'), 'A rest')
  await beginRestore(places, await readBackupNote(backup))
  await mkdir(places.blobs)
}

test('a log of a database that is gone is not read into the restored one', async () => {
  await using world = await withImage()
  const { registry, backup, elsewhere } = world
  await command(registry.dataDirectory, 'backup', backup)
  const database = join(elsewhere, '..', 'other.db')
  const config = join(elsewhere, '..', 'caisson.yaml')
  await writeFile(config, `registry: { database: 'sqlite:${database}' }\n`)
  await writeFile(`${database}-wal`, 'left by a kill')
  const refused = await command(elsewhere, 'restore', backup, '--config', config)
  assert.equal(refused.exitCode, 1)
  assert.match(refused.stderr, /other\.db-wal is there already/)
})

test('a backup whose database is damaged is not restored', async () => {
  await using world = await withImage()
  const { registry, backup, elsewhere } = world
  await command(registry.dataDirectory, 'backup', backup)
  const database = join(backup, 'caisson.db')
  const whole = await readFile(database)
  const refused = async (reason: RegExp) => {
    const { exitCode, stderr } = await command(elsewhere, 'restore', backup)
    assert.equal(exitCode, 1)
    assert.match(stderr, reason)
    assert.match(stderr, new RegExp(`^caisson: ${database} is damaged: `))
    assert.ok((await readdir(elsewhere)).every(isLockFile))
  }
  await writeFile(database, '')
  await refused(/no such table/)
  await writeFile(database, whole.subarray(0, whole.length / 2))
  await refused(/malformed/)
  await writeFile(database, 'no database at all, but a text that is long enough to be looked at')
  await refused(/not a database/)
  await rm(database)
  await refused(/it is not there/)
  await writeFile(database, whole)
  await loseRow(database)
  await refused(/it has 1 blobs, and the backup was made of 2/)
})

test('a manifest that has rotted in the backup is found with --verify', async () => {
  await using world = await withImage()
  const { registry, backup, elsewhere } = world
  await command(registry.dataDirectory, 'backup', backup)
  using database = new DatabaseSync(join(backup, 'caisson.db'))
  database.exec("update manifests set bytes = cast('{}' as blob)")
  const { exitCode, stdout } = await command(elsewhere, 'restore', backup, '--verify')
  assert.equal(exitCode, 1)
  assert.equal(
    stdout.split('\n')[0],
    `manifest docker-local/app@${image.digest}: wrong bytes; pushing it again puts it right`,
  )
})

async function loseRow(file: string): Promise<void> {
  using database = new DatabaseSync(file)
  database.exec('pragma foreign_keys = off')
  database.exec('delete from blobs where digest = (select max(digest) from blobs)')
}

test('a backup that finds no room has failed, and calls no blob lost', { skip: noTinyFilesystem }, async () => {
  await using disk = await tinyFilesystem(4)
  await using world = await withImage()
  await world.registry.admin.pushBlob('app', Buffer.alloc(8 * 1024 * 1024, 'x'))
  const backup = join(disk.path, 'backup')
  const { exitCode, stdout, stderr } = await command(world.registry.dataDirectory, 'backup', backup)
  assert.deepEqual([exitCode, stdout], [1, ''])
  assert.match(stderr, /ENOSPC/)
  assert.match((await command(world.elsewhere, 'restore', backup)).stderr, /no backup, or one that was interrupted/)
})

test('a blob that is no file, or a file elsewhere, is told; the rest is in the backup', async () => {
  await using world = await withImage()
  const { registry, backup, elsewhere } = world
  const files = image.blobs.map((blob) => blobIn(registry.dataDirectory, digestOfBytes(blob)))
  const [first, second] = files
  assert.ok(first !== undefined && second !== undefined)
  await registry.admin.pushBlob('app', Buffer.from('whole'))
  await rm(first)
  await mkdir(first)
  await rename(second, join(elsewhere, '..', 'moved'))
  await symlink(join(elsewhere, '..', 'moved'), second)
  const made = await command(registry.dataDirectory, 'backup', backup)
  assert.equal(made.exitCode, 1, made.stderr)
  for (const blob of image.blobs)
    assert.match(made.stdout, new RegExp(`blob ${digestOfBytes(blob)}: missing or cut short`))
  assert.match(made.stdout, /: 1 blobs of 5 B/)
  assert.equal((await command(elsewhere, 'restore', backup, '--verify')).exitCode, 0)
})

test('while garbage is collected at full speed, what a backup has is whole', async () => {
  await using opened = new AsyncDisposableStack()
  const { path } = opened.use(await temporaryDirectory())
  const registry = opened.use(
    await startTestRegistry({
      garbageCollection: { grace: '0s', every: '1ms' },
      repositories: { 'docker-local': { type: 'local', keepUntagged: '0s' } },
    }),
  )
  const stop = new AbortController()
  const churn = async () => {
    for (let number = 0; !stop.signal.aborted; number++) {
      await registry.admin.push('app', `t${number % 5}`, tinyImage(`churned ${number}`)).catch(() => undefined)
      await registry.admin.ask('DELETE', `app/manifests/t${(number + 2) % 5}`)
    }
  }
  const churning = churn()
  try {
    for (const number of [1, 2, 3]) {
      const made = await command(registry.dataDirectory, 'backup', join(path, `backup-${number}`))
      assert.deepEqual([made.exitCode, made.stderr], [0, ''], made.stdout)
      const restored = await command(
        join(path, `restored-${number}`),
        'restore',
        join(path, `backup-${number}`),
        '--verify',
      )
      assert.deepEqual([restored.exitCode, restored.stderr], [0, ''], restored.stdout)
      assert.equal((await command(join(path, `restored-${number}`), 'scrub')).exitCode, 0)
    }
  } finally {
    stop.abort()
    await churning
  }
})
