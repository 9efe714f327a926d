import type { Digest } from '../domain/digest.ts'
import { RegistryError } from '../domain/errors.ts'
import type { ImageName, RepositoryKey } from '../domain/names.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import type { ImageRef, Images, LinkOptions } from './metadata-store.ts'
import { parameter, prepare } from './prepared-query.ts'
import { deletedImages, ensureImageId, findImageId } from './sql-image-id.ts'
import { findNaming } from './sql-manifest-references.ts'
import { removeLink } from './sql-removals.ts'
import { growUsage } from './sql-repository-usage.ts'
import { reviewLink } from './sql-reviews.ts'
import { recordBytes, type StoredBytes } from './sql-stored-blobs.ts'
import { endUpload } from './sql-upload-owners.ts'

type BlobLinks = Pick<Images, 'linkBlob' | 'mountBlob' | 'findBlob' | 'unlinkBlob' | 'imagesWithBlob'>

/** Which image has which blobs. */
export function sqlBlobLinks(db: MetadataDatabase, now: () => Date): BlobLinks {
  const find = prepare(
    db
      .selectFrom('images')
      .innerJoin('image_blobs', 'image_blobs.image_id', 'images.id')
      .innerJoin('blobs', 'blobs.digest', 'image_blobs.digest')
      .where('images.repository', '=', parameter<RepositoryKey>('repository'))
      .where('images.name', '=', parameter<ImageName>('image'))
      .where('image_blobs.digest', '=', parameter<Digest>('digest'))
      .where('blobs.state', '=', 'kept')
      .select('blobs.size'),
  )
  const inReview = prepare(
    db
      .selectFrom('images')
      .innerJoin('link_reviews', 'link_reviews.image_id', 'images.id')
      .where('images.repository', '=', parameter<RepositoryKey>('repository'))
      .where('images.name', '=', parameter<ImageName>('image'))
      .where('link_reviews.digest', '=', parameter<Digest>('digest'))
      .select('images.id'),
  )

  /** What is not in review is held by a manifest, and its time of grace begins when that goes. */
  const rely = async (of: ImageRef, digest: Digest): Promise<{ readonly size: number } | undefined> => {
    if (!(await inReview.first(db, { ...of, digest }))) return find.first(db, { ...of, digest })
    return db.transaction().execute(async (db) => {
      const queued = await inReview.first(db, { ...of, digest })
      if (queued) await reviewLink(db, queued.id, digest, now().toISOString())
      return find.first(db, { ...of, digest })
    })
  }

  return {
    findBlob: async (of, digest, use = 'read') =>
      use === 'rely' ? rely(of, digest) : find.first(db, { ...of, digest }),

    linkBlob: (of, digest, size, options = {}) =>
      db.transaction().execute(async (db) => {
        if (options.upload !== undefined) await endUpload(db, options.upload)
        await keepBlob(db, { digest, size })
        await linkBlob(db, of, { digest, size }, now().toISOString(), options)
      }),

    mountBlob: (of, digest, from, options = {}) =>
      db.transaction().execute(async (db) => {
        const found = await find.first(db, { ...from, digest })
        if (found) await linkBlob(db, of, { digest, size: found.size }, now().toISOString(), options)
        return found !== undefined
      }),

    unlinkBlob: (of, digest) =>
      db.transaction().execute(async (db) => {
        const imageId = await findImageId(db, of)
        if (imageId === undefined || !(await isLinked(db, imageId, digest))) return false
        const namedBy = await findNaming(db, imageId, digest)
        if (namedBy) {
          const message = `the blob is named by the manifest ${namedBy} of this image: delete that first`
          throw new RegistryError('DENIED', { message, detail: { digest, manifest: namedBy } })
        }
        return removeLink(db, imageId, of.repository, digest, now().toISOString())
      }),

    imagesWithBlob: (digest, limit) =>
      db
        .selectFrom('image_blobs')
        .innerJoin('images', 'images.id', 'image_blobs.image_id')
        .innerJoin('blobs', 'blobs.digest', 'image_blobs.digest')
        .where('image_blobs.digest', '=', digest)
        .where('blobs.state', '=', 'kept')
        .where('images.repository', '<>', deletedImages)
        .select(['images.repository', 'images.name as image'])
        .limit(limit)
        .execute(),
  }
}

/** A cached manifest may name what the image has not got. */
async function isLinked(db: MetadataDatabase, imageId: number, digest: Digest): Promise<boolean> {
  const link = db.selectFrom('image_blobs').where('image_id', '=', imageId).where('digest', '=', digest)
  return (await link.select('digest').executeTakeFirst()) !== undefined
}

async function keepBlob(db: MetadataDatabase, blob: StoredBytes): Promise<void> {
  if ((await recordBytes(db, blob)) === 'deleting')
    throw new RegistryError('UNAVAILABLE', { message: 'the blob is just being deleted' })
}

/** A part of the caller's transaction. */
export async function linkBlob(
  db: MetadataDatabase,
  of: ImageRef,
  blob: StoredBytes,
  at: string,
  options: LinkOptions,
): Promise<void> {
  const image_id = await ensureImageId(db, of)
  await growUsage(db, of.repository, blob, options.maxRepositoryBytes)
  await db
    .insertInto('image_blobs')
    .values({ image_id, digest: blob.digest })
    .onConflict((it) => it.doNothing())
    .execute()
  await reviewLink(db, image_id, blob.digest, at)
}
