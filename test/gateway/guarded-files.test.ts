import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { GuardedFiles } from '../../gateway/guarded-files.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'

test('files below any of the roots are opened, those beside them are not', async () => {
  await using directory = await temporaryDirectory()
  const [blobs, uploads, other] = ['blobs', 'uploads', 'uploads-not'].map((name) => join(directory.path, name))
  assert.ok(blobs && uploads && other)
  const files = new GuardedFiles([blobs, uploads])
  for (const path of [blobs, other]) await mkdir(path)
  await writeFile(join(blobs, 'a'), 'a')
  await writeFile(join(other, 'b'), 'b')
  await writeFile(join(directory.path, 'caisson.db'), 'c')

  const opens = async (path: string) => {
    await using file = await files.open(path)
    return file !== undefined
  }
  assert.equal(await opens(join(blobs, 'a')), true)
  assert.equal(await opens(join(uploads, 'later')), false)
  await mkdir(uploads)
  await writeFile(join(uploads, 'later'), 'later')
  await symlink(join(other, 'b'), join(uploads, 'link'))
  assert.equal(await opens(join(uploads, 'later')), true)
  for (const path of [join(other, 'b'), join(directory.path, 'caisson.db'), join(uploads, '..', 'caisson.db')])
    await assert.rejects(opens(path), /leads out of/, path)
  await assert.rejects(opens(join(uploads, 'link')), { code: 'ELOOP' })
})
