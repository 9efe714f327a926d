import type { Digest } from '../domain/digest.ts'
import type { ImageName, RepositoryKey, Tag } from '../domain/names.ts'
import type { ImageCache } from './image-cache.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import { parameter, prepare } from './prepared-query.ts'
import { noteCached, noteUse, unusedSince } from './sql-cached-manifests.ts'
import { ensureImageId, findImageId } from './sql-image-id.ts'
import { digestOfTag, isKept, keepManifest, moveTag } from './sql-kept-manifests.ts'
import { removeManifest, removeTag, upToWeight } from './sql-removals.ts'
import { reviewManifest } from './sql-reviews.ts'

export function sqlImageCache(db: MetadataDatabase, now: () => Date): ImageCache {
  const images = db
    .selectFrom('images')
    .where('images.repository', '=', parameter<RepositoryKey>('repository'))
    .where('images.name', '=', parameter<ImageName>('image'))
  const tagTime = prepare(
    images
      .innerJoin('tags', 'tags.image_id', 'images.id')
      .where('tags.name', '=', parameter<Tag>('tag'))
      .select('tags.updated_at'),
  )
  const naming = prepare(
    images
      .innerJoin('manifest_references as named', 'named.image_id', 'images.id')
      .innerJoin('manifests', (manifest) =>
        manifest
          .onRef('manifests.image_id', '=', 'named.image_id')
          .onRef('manifests.digest', '=', 'named.manifest_digest'),
      )
      .where('named.digest', '=', parameter<Digest>('digest'))
      .select(['manifests.digest', 'manifests.media_type as mediaType', 'manifests.bytes'])
      .limit(1),
  )
  const holder = prepare(
    db
      .selectFrom('image_blobs')
      .crossJoin('images') // SQLite takes them in this order: by the images that have the blob, not by all of the repository
      .innerJoin('blobs', 'blobs.digest', 'image_blobs.digest')
      .whereRef('images.id', '=', 'image_blobs.image_id')
      .where('image_blobs.digest', '=', parameter<Digest>('digest'))
      .where('images.repository', '=', parameter<RepositoryKey>('repository'))
      .where('blobs.state', '=', 'kept')
      .select(['images.repository', 'images.name as image'])
      .limit(1),
  )
  const fetching = prepare(
    images
      .innerJoin('uploads', 'uploads.image_id', 'images.id')
      .where('uploads.fetched', '=', parameter<Digest>('digest'))
      .select('uploads.id')
      .orderBy('uploads.started_at', 'desc')
      .limit(1),
  )

  return {
    cacheManifest: (of, manifest, contents, tag) =>
      db.transaction().execute(async (db) => {
        const imageId = await ensureImageId(db, of)
        const at = now().toISOString()
        const { digest } = manifest
        if (!(await isKept(db, imageId, manifest))) await keepManifest(db, imageId, manifest, contents, at)
        await noteCached(db, imageId, of.repository, digest, at)
        if (tag === undefined) await reviewManifest(db, imageId, digest, at)
        else if ((await digestOfTag(db, imageId, tag)) !== digest) await moveTag(db, imageId, tag, digest, at)
      }),

    findTagTime: async (of, tag) => {
      const found = await tagTime.first(db, { ...of, tag })
      return found && new Date(found.updated_at)
    },

    findNaming: (of, digest) => naming.first(db, { ...of, digest }),

    findHolder: (repository, digest) => holder.first(db, { repository, digest }),

    findFetch: async (of, digest) => (await fetching.first(db, { ...of, digest }))?.id,

    uncacheManifest: (of, reference) =>
      db.transaction().execute(async (db) => {
        const imageId = await findImageId(db, of)
        if (imageId === undefined) return false
        const at = now().toISOString()
        if ('tag' in reference) return removeTag(db, imageId, reference.tag, at)
        return removeManifest(db, imageId, reference.digest, at)
      }),

    noteUse: (of, digest, at) =>
      db.transaction().execute(async (db) => {
        const imageId = await findImageId(db, of)
        if (imageId !== undefined) await noteUse(db, imageId, digest, at.toISOString())
      }),

    removeUnused: (repository, since, limit) =>
      db.transaction().execute(async (db) => {
        const unused = await unusedSince(db, repository, since.toISOString(), limit)
        const goes = await upToWeight(db, unused, limit)
        for (const { image_id, digest } of goes) await removeManifest(db, image_id, digest, now().toISOString())
        return goes.map(({ repository, image, digest }) => ({ of: { repository, image }, digest }))
      }),
  }
}
