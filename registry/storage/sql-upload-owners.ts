import type { ImageName, RepositoryKey } from '../domain/names.ts'
import type { UploadId } from './blob-store.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import type { UploadOwners } from './metadata-store.ts'
import { parameter, prepare } from './prepared-query.ts'
import { ensureImageId } from './sql-image-id.ts'

export function sqlUploadOwners(db: MetadataDatabase, now: () => Date): UploadOwners {
  const find = prepare(
    db
      .selectFrom('uploads')
      .innerJoin('images', 'images.id', 'uploads.image_id')
      .where('uploads.id', '=', parameter<UploadId>('id'))
      .where('images.repository', '=', parameter<RepositoryKey>('repository'))
      .where('images.name', '=', parameter<ImageName>('image'))
      .select('uploads.id'),
  )

  return {
    addUpload: (of, id) =>
      db.transaction().execute(async (db) => {
        const image_id = await ensureImageId(db, of)
        await db.insertInto('uploads').values({ id, image_id, started_at: now().toISOString() }).execute()
      }),
    ownsUpload: async (of, id) => (await find.first(db, { ...of, id })) !== undefined,
    removeUpload: async (id) => {
      await db.deleteFrom('uploads').where('id', '=', id).execute()
    },
  }
}
