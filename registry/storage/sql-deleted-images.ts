import { sql } from 'kysely'
import type { RepositoryKey } from '../domain/names.ts'
import type { Garbage } from './garbage.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import type { Images, MayTake } from './metadata-store.ts'
import { deletedImages, dropIfEmpty, findImageId } from './sql-image-id.ts'
import { weightOf } from './sql-removals.ts'
import { shrinkUsageByImage } from './sql-repository-usage.ts'
import { reviewBlob } from './sql-reviews.ts'
import { tagFixed } from './tag-fixed.ts'

/**
 * An image may have ten thousands of manifests: deleting it takes its name away, at once and all of it. What it had is taken in small
 * parts afterwards.
 */
export function sqlDeletedImages(
  db: MetadataDatabase,
  now: () => Date,
): Pick<Images, 'hasImage' | 'deleteImage' | 'deleteImages'> & Pick<Garbage, 'clearDeletedImages'> {
  return {
    hasImage: async (of) => (await findImageId(db, of)) !== undefined,

    deleteImage: (of, mayTake) =>
      db.transaction().execute(async (db) => {
        const id = await findImageId(db, of)
        if (id === undefined) return false
        if (mayTake) await refuseFixed(db, id, mayTake)
        await shrinkUsageByImage(db, of.repository, id)
        await takeNames(db, of.repository, id)
        return true
      }),

    deleteImages: (repository, mayTake) =>
      db.transaction().execute(async (db) => {
        const images = mayTake ? await imagesOf(db, repository) : []
        for (const { id, name } of images) if (mayTake) await refuseFixed(db, id, mayTake(name))
        await db.deleteFrom('repository_usage').where('repository', '=', repository).execute()
        return takeNames(db, repository, undefined)
      }),

    clearDeletedImages: (limit) =>
      db.transaction().execute(async (db) => {
        let reviewed = 0
        while (reviewed < limit) {
          const id = await nextToClear(db)
          if (id === undefined) break
          reviewed += await clearImage(db, id, limit - reviewed, now().toISOString())
        }
        return { reviewed }
      }),
  }
}

async function imagesOf(db: MetadataDatabase, repository: RepositoryKey) {
  return db.selectFrom('images').where('repository', '=', repository).select(['id', 'name']).execute()
}

async function refuseFixed(db: MetadataDatabase, imageId: number, mayTake: MayTake): Promise<void> {
  const tags = await db.selectFrom('tags').where('image_id', '=', imageId).select('name').execute()
  const fixed = tags.find(({ name }) => !mayTake(name))
  if (fixed) throw tagFixed(fixed.name)
}

async function takeNames(db: MetadataDatabase, from: RepositoryKey, id: number | undefined): Promise<number> {
  const all = db.updateTable('images').set({ repository: deletedImages, name: sql`cast(id as text)` })
  const named = all.where('repository', '=', from)
  const { numUpdatedRows } = await (id === undefined ? named : named.where('id', '=', id)).executeTakeFirstOrThrow()
  return Number(numUpdatedRows)
}

/** One that has something yet, or nothing at all. An upload goes by age, and until then names its image. */
async function nextToClear(db: MetadataDatabase): Promise<number | undefined> {
  const next = await sql<{ readonly id: number }>`select i.id from images i where i.repository = ${deletedImages} and (
      exists (select 1 from manifests m where m.image_id = i.id)
      or exists (select 1 from image_blobs l where l.image_id = i.id)
      or not exists (select 1 from uploads u where u.image_id = i.id)
    ) limit 1`.execute(db)
  return next.rows[0]?.id
}

/** A part of what it has. Resolves with how much that was to do, at least 1. */
async function clearImage(db: MetadataDatabase, id: number, limit: number, at: string): Promise<number> {
  const cleared = (await clearManifests(db, id, limit)) || (await clearLinks(db, id, limit, at))
  if (cleared > 0) return cleared
  await dropIfEmpty(db, id)
  return 1
}

async function clearManifests(db: MetadataDatabase, id: number, limit: number): Promise<number> {
  const some = db.selectFrom('manifests').where('image_id', '=', id).select('digest').limit(limit)
  let cleared = 0
  for (const { digest } of await some.execute()) {
    cleared += await weightOf(db, id, digest)
    await db.deleteFrom('manifests').where('image_id', '=', id).where('digest', '=', digest).execute()
    if (cleared >= limit) break
  }
  return cleared
}

async function clearLinks(db: MetadataDatabase, id: number, limit: number, at: string): Promise<number> {
  const some = await db.selectFrom('image_blobs').where('image_id', '=', id).select('digest').limit(limit).execute()
  for (const { digest } of some) {
    await db.deleteFrom('image_blobs').where('image_id', '=', id).where('digest', '=', digest).execute()
    await reviewBlob(db, digest, at)
  }
  return some.length
}
