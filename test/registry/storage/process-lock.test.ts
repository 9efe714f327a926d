import assert from 'node:assert/strict'
import { mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { DirectoryInUse, lockDirectory } from '../../../registry/storage/process-lock.ts'
import { start, type Running } from '../../helpers/program.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

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
    lockDirectory(directory.path),
    (error) => error instanceof DirectoryInUse && error.message === message,
  )
  await holder[Symbol.asyncDispose]()
  using _locked = await lockDirectory(directory.path)
})

test('a process that is killed leaves no lock behind', async () => {
  await using directory = await temporaryDirectory()
  await using holder = await lockedByAnother(directory.path)
  process.kill(holder.pid, 'SIGKILL')
  using _locked = await lockDirectory(directory.path)
})

test('the lock holds within a process too, until it is disposed', async () => {
  await using directory = await temporaryDirectory()
  {
    using _locked = await lockDirectory(directory.path)
    await assert.rejects(lockDirectory(directory.path), DirectoryInUse)
  }
  using _again = await lockDirectory(directory.path)
})

test('all that it leaves is one empty file for its user alone', async () => {
  await using directory = await temporaryDirectory()
  {
    using _locked = await lockDirectory(directory.path)
    assert.deepEqual(await readdir(directory.path), ['caisson.lock'])
  }
  const { mode, size } = await stat(join(directory.path, 'caisson.lock'))
  assert.deepEqual([mode & 0o777, size], [0o600, 0])
})

test('a lock that cannot be opened is no other process', async () => {
  await using directory = await temporaryDirectory()
  await mkdir(join(directory.path, 'caisson.lock'))
  await assert.rejects(lockDirectory(directory.path), { code: 'EISDIR' })
})
