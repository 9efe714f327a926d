import type { Digest } from '../domain/digest.ts'
import { RegistryError } from '../domain/errors.ts'
import type { ImageName, RepositoryKey } from '../domain/names.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import type { Images } from './metadata-store.ts'
import { parameter, prepare } from './prepared-query.ts'
import { ensureImageId, findImageId } from './sql-image-id.ts'
import { findNaming } from './sql-manifest-references.ts'

/** Which image has which blobs. */
export function sqlBlobLinks(db: MetadataDatabase): Pick<Images, 'linkBlob' | 'findBlob' | 'unlinkBlob'> {
  const find = prepare(
    db
      .selectFrom('images')
      .innerJoin('image_blobs', 'image_blobs.image_id', 'images.id')
      .innerJoin('blobs', 'blobs.digest', 'image_blobs.digest')
      .where('images.repository', '=', parameter<RepositoryKey>('repository'))
      .where('images.name', '=', parameter<ImageName>('image'))
      .where('image_blobs.digest', '=', parameter<Digest>('digest'))
      .select('blobs.size'),
  )

  return {
    findBlob: (of, digest) => find.first(db, { ...of, digest }),

    linkBlob: (of, digest, size) =>
      db.transaction().execute(async (db) => {
        const image_id = await ensureImageId(db, of)
        await db
          .insertInto('blobs')
          .values({ digest, size })
          .onConflict((it) => it.doNothing())
          .execute()
        await db
          .insertInto('image_blobs')
          .values({ image_id, digest })
          .onConflict((it) => it.doNothing())
          .execute()
      }),

    unlinkBlob: (of, digest) =>
      db.transaction().execute(async (db) => {
        const imageId = await findImageId(db, of)
        if (imageId === undefined) return false
        const namedBy = await findNaming(db, imageId, digest)
        if (namedBy) {
          const message = `the blob is named by the manifest ${namedBy} of this image: delete that first`
          throw new RegistryError('DENIED', { message, detail: { digest, manifest: namedBy } })
        }
        const { numDeletedRows } = await db
          .deleteFrom('image_blobs')
          .where('image_id', '=', imageId)
          .where('digest', '=', digest)
          .executeTakeFirstOrThrow()
        return numDeletedRows > 0
      }),
  }
}
