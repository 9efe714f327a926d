import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { ensureFirstAdmin } from '../../../registry/identity/first-admin.ts'
import { verifyPassword } from '../../../registry/identity/passwords.ts'
import type { AccessAdministration } from '../../../registry/identity/access-administration.ts'
import { openSqliteMetadata } from '../../../registry/storage/sqlite-metadata.ts'
import { identityOn } from '../../helpers/identity.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

async function onFreshData(use: (users: AccessAdministration, directory: string) => Promise<void>): Promise<void> {
  await using directory = await temporaryDirectory()
  await using metadata = await openSqliteMetadata(join(directory.path, 'caisson.db'))
  await use(identityOn(metadata).administration, directory.path)
}

test('the first start makes admin with a password that is kept for its owner alone', () =>
  onFreshData(async (users, directory) => {
    const file = join(directory, 'admin-password')
    await writeFile(file, 'left by an interrupted start', { mode: 0o644 })
    const made = await ensureFirstAdmin(users, directory, undefined)
    assert.deepEqual(made, { name: 'admin', password: made?.password, generated: true, file })
    assert.match(made?.password ?? '', /^[a-z2-9]{24}$/)
    assert.equal(await readFile(file, 'utf8'), `${made?.password}\n`)
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    const user = await users.findUser('admin')
    assert.equal(user?.admin, true)
    assert.ok(await verifyPassword(made?.password ?? '', user.passwordHash ?? ''))
  }))

test('a password that was chosen is not written down', () =>
  onFreshData(async (users, directory) => {
    const made = await ensureFirstAdmin(users, directory, 'chosen password')
    assert.deepEqual(made, { name: 'admin', password: 'chosen password', generated: false, file: undefined })
    await assert.rejects(stat(join(directory, 'admin-password')), { code: 'ENOENT' })
  }))

test('later starts change nothing, whatever password they bring', () =>
  onFreshData(async (users, directory) => {
    await ensureFirstAdmin(users, directory, 'chosen password')
    const before = await users.listUsers()
    for (const password of [undefined, 'another password', ''])
      assert.equal(await ensureFirstAdmin(users, directory, password), undefined)
    assert.deepEqual(await users.listUsers(), before)
  }))

test('a chosen password that is too short makes no user', () =>
  onFreshData(async (users, directory) => {
    await assert.rejects(ensureFirstAdmin(users, directory, 'short'), /5 characters/)
    assert.deepEqual(await users.listUsers(), [])
  }))
