import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { RunningHash, RunningHashes } from '../../../registry/storage/running-hashes.ts'
import { sha256, sha512, unknownUpload } from '../../contracts/blob-store.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

const id = unknownUpload()
const noFile = '/there/is/no/such/file'

test('bytes that were hashed as they came in are not read again', async () => {
  const hashes = new RunningHashes(1000)
  hashes.keep(id, hashOf('hello'))
  assert.equal((await hashes.of(id, noFile, 5)).digest(), sha256('hello'))
  assert.equal((await hashes.of(id, noFile, 5, 'sha256')).digest(), sha256('hello'))
})

test('of a file that grew, only what is new is read', async () => {
  await using directory = await temporaryDirectory()
  const file = join(directory.path, 'upload')
  await writeFile(file, '..... world')
  const hashes = new RunningHashes(1000)
  hashes.keep(id, hashOf('hello'))
  assert.equal((await hashes.of(id, file, 11)).digest(), sha256('hello world'))
})

test('a file is read whole for another algorithm, and when it is shorter than what was hashed', async () => {
  await using directory = await temporaryDirectory()
  const file = join(directory.path, 'upload')
  await writeFile(file, 'hello')
  const hashes = new RunningHashes(1000)
  hashes.keep(id, hashOf('hello'))
  assert.equal((await hashes.of(id, file, 5, 'sha512')).digest(), sha512('hello'))
  hashes.keep(id, hashOf('hello world'))
  assert.equal((await hashes.of(id, file, 5)).digest(), sha256('hello'))
})

test('a hash that rested too long is forgotten, and a younger one is not', async () => {
  let now = 0
  const [resting, busy] = [id, unknownUpload()]
  const hashes = new RunningHashes(1000, () => now)
  hashes.keep(resting, hashOf('hello'))
  hashes.keep(busy, hashOf('hello'))
  now = 900
  hashes.keep(busy, hashOf('hello'))
  now = 1100
  hashes.keep(unknownUpload(), hashOf(''))
  await assert.rejects(hashes.of(resting, noFile, 5), { code: 'ENOENT' })
  assert.equal((await hashes.of(busy, noFile, 5)).digest(), sha256('hello'))
})

test('a fork goes on by itself', () => {
  const hash = hashOf('hello')
  const fork = hash.fork()
  fork.update(Buffer.from(' world'))
  assert.deepEqual([hash.digest(), hash.size], [sha256('hello'), 5])
  assert.deepEqual([fork.digest(), fork.size], [sha256('hello world'), 11])
})

function hashOf(content: string): RunningHash {
  const hash = new RunningHash('sha256')
  hash.update(Buffer.from(content))
  return hash
}
