import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import { blobDirectories, BlobDirectories } from '../../registry/storage/blob-directories.ts'
import type { Digest } from '../../registry/domain/digest.ts'
import * as imagesAndUsers from '../../registry/storage/migrations/0001-images-and-users.ts'
import { nodeSqliteDialect } from '../../registry/storage/node-sqlite-dialect.ts'
import { digestOfBytes, tinyImage } from '../helpers/tiny-image.ts'
import { Journal } from './journal.ts'

/** Puts what the first version of the product would have left into `dataDirectory`: forty tagged images, and no user. */
export async function copyFixture(dataDirectory: string): Promise<Journal> {
  const journal = new Journal()
  const { blobs, uploads } = blobDirectories(join(dataDirectory, 'blobs'))
  const directories = new BlobDirectories(blobs, uploads)
  const database = new DatabaseSync(join(dataDirectory, 'caisson.db'))
  database.exec('pragma journal_mode = wal')
  const db = new Kysely<unknown>({ dialect: nodeSqliteDialect(database) })
  const provider = { getMigrations: async () => ({ '0001-images-and-users': imagesAndUsers }) }
  const { error } = await new Migrator({ db, provider }).migrateToLatest()
  if (error !== undefined) throw new Error('the first schema cannot be made', { cause: error })

  const insert = (table: string, ...values: readonly (string | number | Uint8Array | null)[]) =>
    database.prepare(`insert into ${table} values (${values.map(() => '?').join(', ')})`).run(...values)
  const now = new Date().toISOString()
  insert('images', 1, 'docker-local', 'app')
  for (let number = 0; number < 40; number++) {
    const image = tinyImage(`image ${number} of the first schema`)
    insert('manifests', 1, image.digest, image.mediaType, image.manifest, null, null, now)
    for (const bytes of image.blobs) {
      const digest = digestOfBytes(bytes)
      const file = directories.blob(digest as Digest)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, bytes)
      insert('blobs', digest, bytes.length)
      insert('image_blobs', 1, digest)
      insert('manifest_references', 1, image.digest, digest, 'blob')
      journal.setBlob('app', digest, true)('done')
    }
    insert('tags', 1, `t${number}`, image.digest, now)
    journal.manifestOf.set(image.digest, {
      mediaType: image.mediaType,
      bytes: image.manifest,
      blobs: image.blobs.map((bytes) => digestOfBytes(bytes)),
      entries: [],
      subject: undefined,
    })
    journal.setManifest('app', image.digest, true)('done')
    journal.setTag('app', `t${number}`, image.digest)('done')
  }
  await db.destroy()
  return journal
}
