import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { Kysely } from 'kysely'
import { Migrator, type Migration } from 'kysely/migration'
import { newUploadId } from '../../../registry/domain/upload-id.ts'
import { hashPassword } from '../../../registry/identity/passwords.ts'
import * as imagesAndUsers from '../../../registry/storage/migrations/0001-images-and-users.ts'
import * as garbage from '../../../registry/storage/migrations/0002-garbage.ts'
import * as access from '../../../registry/storage/migrations/0003-access.ts'
import { nodeSqliteDialect } from '../../../registry/storage/node-sqlite-dialect.ts'
import { openSqliteMetadata } from '../../../registry/storage/sqlite-metadata.ts'
import { sha256 } from '../../contracts/blob-store.ts'
import { ref } from '../../contracts/metadata-store.ts'
import { startTestRegistry } from '../../helpers/registry.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { tinyImage } from '../../helpers/tiny-image.ts'

const beforeAccess = { '0001-images-and-users': imagesAndUsers, '0002-garbage': garbage }

/** A database as the version with these migrations made it. */
async function databaseOf(dataDirectory: string, migrations: Readonly<Record<string, Migration>>) {
  await mkdir(dataDirectory, { recursive: true })
  const database = new DatabaseSync(join(dataDirectory, 'caisson.db'))
  const db = new Kysely<unknown>({ dialect: nodeSqliteDialect(database) })
  const getMigrations = async () => migrations
  const { error } = await new Migrator({ db, provider: { getMigrations } }).migrateToLatest()
  assert.equal(error, undefined)
  return { database, db }
}

/** A data directory as the version before permission targets left it. */
async function leftBehind(dataDirectory: string): Promise<void> {
  const { database, db } = await databaseOf(dataDirectory, beforeAccess)
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

test('what a version without remote repositories kept is not taken for cached, and its uploads for no fetches', async () => {
  await using directory = await temporaryDirectory()
  const { database, db } = await databaseOf(directory.path, { ...beforeAccess, '0003-access': access })
  const [app, long, digest, id] = [ref('docker-local', 'app'), '2020-01-01T00:00:00.000Z', sha256('one'), newUploadId()]
  database.prepare('insert into images values (1, ?, ?)').run(app.repository, app.image)
  database
    .prepare('insert into manifests values (1, ?, ?, ?, null, null, ?)')
    .run(digest, 'a/b', Buffer.from('one'), long)
  database.prepare('insert into uploads (id, image_id, started_at) values (?, 1, ?)').run(id, long)
  await db.destroy()

  await using store = await openSqliteMetadata(join(directory.path, 'caisson.db'))
  assert.deepEqual(await store.removeUnused(app.repository, new Date(), 10), [])
  assert.ok(await store.findManifest(app, { digest }))
  assert.equal(await store.findFetch(app, digest), undefined)
  assert.equal(await store.ownsUpload(app, id), true)
})
