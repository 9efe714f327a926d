import type { RepositoryKey } from '../domain/names.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import type { ImageRef } from './metadata-store.ts'

/** Where a deleted image lies, under a name of its own, until it has been cleared. No key is empty, so nobody finds it. */
export const deletedImages = '' as RepositoryKey

/** Undefined when nothing was ever pushed there. */
export async function findImageId(db: MetadataDatabase, of: ImageRef): Promise<number | undefined> {
  const row = await db
    .selectFrom('images')
    .select('id')
    .where('repository', '=', of.repository)
    .where('name', '=', of.image)
    .executeTakeFirst()
  return row?.id
}

/** Images are made by the first push. */
export async function ensureImageId(db: MetadataDatabase, of: ImageRef): Promise<number> {
  const known = await findImageId(db, of)
  if (known !== undefined) return known
  const { id } = await db
    .insertInto('images')
    .values({ repository: of.repository, name: of.image })
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
}

/** An image that has nothing is none. */
export async function dropIfEmpty(db: MetadataDatabase, imageId: number): Promise<void> {
  const empty = db.deleteFrom('images').where('id', '=', imageId)
  await empty
    .where((it) =>
      it.not(it.exists(it.selectFrom('manifests').whereRef('image_id', '=', 'images.id').select('digest'))),
    )
    .where((it) =>
      it.not(it.exists(it.selectFrom('image_blobs').whereRef('image_id', '=', 'images.id').select('digest'))),
    )
    .where((it) =>
      it.not(it.exists(it.selectFrom('uploads').whereRef('image_id', '=', 'images.id').select('uploads.id'))),
    )
    .execute()
}
