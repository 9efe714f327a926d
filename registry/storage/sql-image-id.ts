import type { MetadataDatabase } from './metadata-schema.ts'
import type { ImageRef } from './metadata-store.ts'

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
