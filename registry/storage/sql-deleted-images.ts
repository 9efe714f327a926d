import { sql } from 'kysely'
import type { RepositoryKey } from '../domain/names.ts'
import type { Garbage } from './garbage.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import type { Images } from './metadata-store.ts'
import { deletedImages, findImageId } from './sql-image-id.ts'
import { shrinkUsageByImage } from './sql-repository-usage.ts'
import { reviewBlob } from './sql-reviews.ts'

/**
 * An image may have ten thousands of manifests: deleting it takes its name away, at once and all of it. What it had is taken in small
 * parts afterwards.
 */
export function sqlDeletedImages(
  db: MetadataDatabase,
  now: () => Date,
): Pick<Images, 'deleteImage' | 'deleteImages'> & Pick<Garbage, 'clearDeletedImages'> {
  return {
    deleteImage: (of) =>
      db.transaction().execute(async (db) => {
        const id = await findImageId(db, of)
        if (id === undefined) return false
        await shrinkUsageByImage(db, of.repository, id)
        await takeNames(db, of.repository, id)
        return true
      }),

    deleteImages: (repository) =>
      db.transaction().execute(async (db) => {
        await db.deleteFrom('repository_usage').where('repository', '=', repository).execute()
        return takeNames(db, repository, undefined)
      }),

    clearDeletedImages: (limit) =>
      db.transaction().execute(async (db) => {
        const manifests = await clearManifests(db, limit)
        if (manifests > 0) return { reviewed: manifests }
        const links = await clearLinks(db, limit, now().toISOString())
        if (links > 0) return { reviewed: links }
        return { reviewed: await clearNames(db, limit) }
      }),
  }
}

async function takeNames(db: MetadataDatabase, from: RepositoryKey, id: number | undefined): Promise<number> {
  const all = db.updateTable('images').set({ repository: deletedImages, name: sql`cast(id as text)` })
  const named = all.where('repository', '=', from)
  const { numUpdatedRows } = await (id === undefined ? named : named.where('id', '=', id)).executeTakeFirstOrThrow()
  return Number(numUpdatedRows)
}

async function clearManifests(db: MetadataDatabase, limit: number): Promise<number> {
  const some = db
    .selectFrom('manifests')
    .innerJoin('images', 'images.id', 'manifests.image_id')
    .where('images.repository', '=', deletedImages)
    .select(['manifests.image_id', 'manifests.digest'])
    .limit(limit)
  const found = await some.execute()
  for (const { image_id, digest } of found)
    await db.deleteFrom('manifests').where('image_id', '=', image_id).where('digest', '=', digest).execute()
  return found.length
}

async function clearLinks(db: MetadataDatabase, limit: number, at: string): Promise<number> {
  const some = db
    .selectFrom('image_blobs')
    .innerJoin('images', 'images.id', 'image_blobs.image_id')
    .where('images.repository', '=', deletedImages)
    .select(['image_blobs.image_id', 'image_blobs.digest'])
    .limit(limit)
  const found = await some.execute()
  for (const { image_id, digest } of found) {
    await db.deleteFrom('image_blobs').where('image_id', '=', image_id).where('digest', '=', digest).execute()
    await reviewBlob(db, digest, at)
  }
  return found.length
}

/** An upload goes by age, and until then names its image. */
async function clearNames(db: MetadataDatabase, limit: number): Promise<number> {
  const empty = db
    .selectFrom('images')
    .where('repository', '=', deletedImages)
    .where((it) =>
      it.not(it.exists(it.selectFrom('uploads').whereRef('image_id', '=', 'images.id').select('uploads.id'))),
    )
    .select('id')
    .limit(limit)
  const { numDeletedRows } = await db.deleteFrom('images').where('id', 'in', empty).executeTakeFirstOrThrow()
  return Number(numDeletedRows)
}
