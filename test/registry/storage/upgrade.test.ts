import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import { hashPassword } from '../../../registry/identity/passwords.ts'
import * as imagesAndUsers from '../../../registry/storage/migrations/0001-images-and-users.ts'
import * as garbage from '../../../registry/storage/migrations/0002-garbage.ts'
import { nodeSqliteDialect } from '../../../registry/storage/node-sqlite-dialect.ts'
import { startTestRegistry } from '../../helpers/registry.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { tinyImage } from '../../helpers/tiny-image.ts'

/** A data directory as the version before permission targets left it. */
async function leftBehind(dataDirectory: string): Promise<void> {
  await mkdir(dataDirectory, { recursive: true })
  const database = new DatabaseSync(join(dataDirectory, 'caisson.db'))
  const db = new Kysely<unknown>({ dialect: nodeSqliteDialect(database) })
  const getMigrations = async () => ({ '0001-images-and-users': imagesAndUsers, '0002-garbage': garbage })
  const { error } = await new Migrator({ db, provider: { getMigrations } }).migrateToLatest()
  assert.equal(error, undefined)
  const add = database.prepare('insert into users (name, password_hash, admin) values (?, ?, ?)')
  add.run('admin', await hashPassword('correct horse'), 1)
  add.run('dev', await hashPassword('password of dev'), 0)
  database.prepare('insert into secrets (name, value) values (?, ?)').run('token-signing-key', '{}')
  await db.destroy()
}

test('users of a version without permission targets pull and push as before, and no restart gives back what is taken', async () => {
  await using directory = await temporaryDirectory()
  await leftBehind(directory.path)
  await using registry = await startTestRegistry({}, directory.path)
  const { admin, anonymous } = registry
  const dev = anonymous.as({ name: 'dev', password: 'password of dev' })
  await dev.push('app', 'latest', tinyImage('one'))
  await dev.push('app', 'latest', tinyImage('two'))
  assert.equal((await anonymous.ask('GET', 'app/manifests/latest')).status, 200)
  assert.equal((await anonymous.ask('POST', 'app/blobs/uploads/')).status, 401)

  await registry.restart()
  const { pathname } = new URL('http://x/artifactory/api/v2/security/permissions/Anything')
  assert.equal((await admin.ask('DELETE', pathname)).status, 200)
  await registry.restart()
  assert.equal((await anonymous.ask('GET', 'app/manifests/latest')).status, 401)
  assert.equal((await dev.ask('GET', 'app/manifests/latest')).status, 403)
})
