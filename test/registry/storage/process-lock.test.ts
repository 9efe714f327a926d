import assert from 'node:assert/strict'
import { mkdir, readdir, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isLockFile, lockPlaces, PlaceInUse } from '../../../registry/storage/process-lock.ts'
import type { Places } from '../../../registry/storage/places.ts'
import { start, type Running } from '../../helpers/program.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

function placesIn(dataDirectory: string): Places {
  return { dataDirectory, database: join(dataDirectory, 'caisson.db'), blobs: join(dataDirectory, 'blobs') }
}

async function lockedByAnother(directory: string): Promise<Running> {
  const holder = start(process.execPath, [fileURLToPath(new URL('lock-holder.ts', import.meta.url)), directory])
  await holder.says(/locked/)
  return holder
}

test('a second process is refused with what to do, until the first one ends', async () => {
  await using directory = await temporaryDirectory()
  const holder = await lockedByAnother(directory.path)
  const message = `another caisson works on ${directory.path}: stop it first, or name another directory with --data`
  await assert.rejects(
    lockPlaces(placesIn(directory.path)),
    (error) => error instanceof PlaceInUse && error.message === message,
  )
  await holder[Symbol.asyncDispose]()
  using _locked = await lockPlaces(placesIn(directory.path))
})

test('a process that is killed leaves no lock behind', async () => {
  await using directory = await temporaryDirectory()
  await using holder = await lockedByAnother(directory.path)
  process.kill(holder.pid, 'SIGKILL')
  using _locked = await lockPlaces(placesIn(directory.path))
})

test('the lock holds within a process too, until it is disposed', async () => {
  await using directory = await temporaryDirectory()
  {
    using _locked = await lockPlaces(placesIn(directory.path))
    await assert.rejects(lockPlaces(placesIn(directory.path)), PlaceInUse)
  }
  using _again = await lockPlaces(placesIn(directory.path))
})

test('all that it leaves are empty files for its user alone', async () => {
  await using directory = await temporaryDirectory()
  const left = ['blobs.lock', 'caisson.db.lock', 'caisson.lock']
  {
    using _locked = await lockPlaces(placesIn(directory.path))
    assert.deepEqual((await readdir(directory.path)).sort(), left)
  }
  for (const name of left) {
    const { mode, size } = await stat(join(directory.path, name))
    assert.deepEqual([mode & 0o777, size], [0o600, 0])
    assert.ok(isLockFile(name))
  }
})

test('a lock that cannot be opened is no other process', async () => {
  await using directory = await temporaryDirectory()
  await mkdir(join(directory.path, 'caisson.lock'))
  await assert.rejects(lockPlaces(placesIn(directory.path)), { code: 'EISDIR' })
})

test('a database or blobs elsewhere are locked by themselves, whatever data directory they are used with', async () => {
  await using directory = await temporaryDirectory()
  const [one, two, shared] = ['one', 'two', 'shared'].map((name) => join(directory.path, name))
  assert.ok(one !== undefined && two !== undefined && shared !== undefined)
  const [database, blobs] = [join(shared, 'caisson.db'), join(shared, 'blobs')]
  {
    using _first = await lockPlaces({ ...placesIn(one), database })
    await assert.rejects(lockPlaces({ ...placesIn(two), database }), { message: new RegExp(`works on ${database}:`) })
    using _other = await lockPlaces(placesIn(two))
  }
  {
    using _first = await lockPlaces({ ...placesIn(one), blobs })
    await assert.rejects(lockPlaces({ ...placesIn(two), blobs }), { message: new RegExp(`works on ${blobs}:`) })
  }
  {
    using _first = await lockPlaces(placesIn(one))
    await assert.rejects(lockPlaces({ ...placesIn(two), blobs: placesIn(one).blobs }), PlaceInUse)
    await assert.rejects(lockPlaces({ ...placesIn(two), database: placesIn(one).database }), PlaceInUse)
  }
  await mkdir(blobs)
  await symlink(blobs, join(one, 'blobs'))
  await symlink(blobs, join(two, 'blobs'))
  using _linked = await lockPlaces(placesIn(one))
  await assert.rejects(lockPlaces(placesIn(two)), PlaceInUse)
})
