import type { Digest } from '../domain/digest.ts'
import { RegistryError } from '../domain/errors.ts'
import type { Manifest, ManifestContents } from '../domain/manifest.ts'
import type { ImageName, RepositoryKey, Tag } from '../domain/names.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import type { Images } from './metadata-store.ts'
import { parameter, prepare } from './prepared-query.ts'
import { ensureImageId, findImageId } from './sql-image-id.ts'
import { findNaming, keepReferences, refuseMissing } from './sql-manifest-references.ts'

export function sqlManifests(
  db: MetadataDatabase,
  now: () => Date,
): Pick<Images, 'findManifest' | 'putManifest' | 'deleteManifest'> {
  const inImage = db
    .selectFrom('images')
    .innerJoin('manifests', 'manifests.image_id', 'images.id')
    .where('images.repository', '=', parameter<RepositoryKey>('repository'))
    .where('images.name', '=', parameter<ImageName>('image'))
    .select(['manifests.digest', 'manifests.media_type as mediaType', 'manifests.bytes'])
  const byDigest = prepare(inImage.where('manifests.digest', '=', parameter<Digest>('digest')))
  const byTag = prepare(
    inImage
      .innerJoin('tags', (tag) =>
        tag.onRef('tags.image_id', '=', 'manifests.image_id').onRef('tags.digest', '=', 'manifests.digest'),
      )
      .where('tags.name', '=', parameter<Tag>('tag')),
  )

  return {
    findManifest: (of, reference) =>
      'tag' in reference ? byTag.first(db, { ...of, ...reference }) : byDigest.first(db, { ...of, ...reference }),

    putManifest: (of, manifest, contents, tags) =>
      db.transaction().execute(async (db) => {
        const imageId = await ensureImageId(db, of)
        const at = now().toISOString()
        if (!(await isKept(db, imageId, manifest))) {
          await keep(db, imageId, manifest, contents, at)
          await refuseMissing(db, imageId, manifest.digest)
        }
        for (const tag of tags) await moveTag(db, imageId, tag, manifest.digest, at)
      }),

    deleteManifest: (of, reference) =>
      db.transaction().execute(async (db) => {
        const imageId = await findImageId(db, of)
        if (imageId === undefined) return false
        return 'tag' in reference ? removeTag(db, imageId, reference.tag) : remove(db, imageId, reference.digest)
      }),
  }
}

async function isKept(db: MetadataDatabase, imageId: number, { digest, mediaType }: Manifest): Promise<boolean> {
  const row = await db
    .selectFrom('manifests')
    .select('media_type')
    .where('image_id', '=', imageId)
    .where('digest', '=', digest)
    .executeTakeFirst()
  return row?.media_type === mediaType
}

async function keep(
  db: MetadataDatabase,
  imageId: number,
  { digest, mediaType, bytes }: Manifest,
  contents: ManifestContents,
  at: string,
): Promise<void> {
  const known = {
    media_type: mediaType,
    subject: contents.subject ?? null,
    artifact_type: contents.artifactType ?? null,
    pushed_at: at,
  }
  await db
    .insertInto('manifests')
    .values({ image_id: imageId, digest, bytes, ...known })
    .onConflict((same) => same.columns(['image_id', 'digest']).doUpdateSet(known))
    .execute()
  await keepReferences(db, imageId, digest, contents)
}

async function moveTag(db: MetadataDatabase, image_id: number, name: Tag, digest: Digest, updated_at: string) {
  await db
    .insertInto('tags')
    .values({ image_id, name, digest, updated_at })
    .onConflict((taken) => taken.columns(['image_id', 'name']).doUpdateSet({ digest, updated_at }))
    .execute()
}

async function removeTag(db: MetadataDatabase, imageId: number, tag: Tag): Promise<boolean> {
  const removed = db.deleteFrom('tags').where('image_id', '=', imageId).where('name', '=', tag)
  return (await removed.executeTakeFirstOrThrow()).numDeletedRows === 1n
}

/** Its tags and what it names go with it (`on delete cascade`). */
async function remove(db: MetadataDatabase, imageId: number, digest: Digest): Promise<boolean> {
  const namedBy = await findNaming(db, imageId, digest)
  if (namedBy) {
    const message = `the manifest is named by the manifest ${namedBy} of this image: delete that first`
    throw new RegistryError('DENIED', { message, detail: { digest, manifest: namedBy } })
  }
  const removed = db.deleteFrom('manifests').where('image_id', '=', imageId).where('digest', '=', digest)
  return (await removed.executeTakeFirstOrThrow()).numDeletedRows === 1n
}
