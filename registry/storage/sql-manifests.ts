import type { Digest } from '../domain/digest.ts'
import { RegistryError } from '../domain/errors.ts'
import type { Manifest } from '../domain/manifest.ts'
import type { ImageName, Reference, RepositoryKey, Tag } from '../domain/names.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import type { ImageRef, Images } from './metadata-store.ts'
import { parameter, prepare } from './prepared-query.ts'
import { ensureImageId, findImageId } from './sql-image-id.ts'
import { tagFixed } from './tag-fixed.ts'
import { leaveCache } from './sql-cached-manifests.ts'
import { digestOfTag, isKept, keepManifest, moveTag } from './sql-kept-manifests.ts'
import { findNaming, refuseMissing } from './sql-manifest-references.ts'
import { removeManifest, removeTag } from './sql-removals.ts'
import { reviewManifest } from './sql-reviews.ts'

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

  const inReview = prepare(
    db
      .selectFrom('images')
      .innerJoin('manifest_reviews', 'manifest_reviews.image_id', 'images.id')
      .where('images.repository', '=', parameter<RepositoryKey>('repository'))
      .where('images.name', '=', parameter<ImageName>('image'))
      .where('manifest_reviews.digest', '=', parameter<Digest>('digest'))
      .select('images.id'),
  )

  const find = (db: MetadataDatabase, of: ImageRef, reference: Reference): Promise<Manifest | undefined> =>
    'tag' in reference ? byTag.first(db, { ...of, ...reference }) : byDigest.first(db, { ...of, ...reference })

  /**
   * What is not in review is held by something, and its time of grace begins when that goes; what has a tag is held by that. The review is
   * looked for first: a manifest that has been collected is in none either.
   */
  const rely = async (of: ImageRef, reference: Reference): Promise<Manifest | undefined> => {
    if ('tag' in reference || !(await inReview.first(db, { ...of, ...reference }))) return find(db, of, reference)
    return db.transaction().execute(async (db) => {
      const queued = await inReview.first(db, { ...of, ...reference })
      if (queued) await reviewManifest(db, queued.id, reference.digest, now().toISOString())
      return find(db, of, reference)
    })
  }

  return {
    findManifest: (of, reference, use = 'read') => (use === 'rely' ? rely(of, reference) : find(db, of, reference)),

    putManifest: (of, manifest, contents, tags, mayTake = always) =>
      db.transaction().execute(async (db) => {
        const imageId = await ensureImageId(db, of)
        const at = now().toISOString()
        for (const tag of tags) if (!mayTake(tag)) await refuseMoved(db, imageId, tag, manifest.digest)
        const cached = await leaveCache(db, imageId, manifest.digest)
        if (cached || !(await isKept(db, imageId, manifest))) {
          await refuseAnotherType(db, imageId, manifest, mayTake)
          await keepManifest(db, imageId, manifest, contents, at)
          await refuseMissing(db, imageId, manifest.digest)
        }
        for (const tag of tags) await moveTag(db, imageId, tag, manifest.digest, at)
        if (tags.length === 0) await reviewManifest(db, imageId, manifest.digest, at)
      }),

    deleteManifest: (of, reference, mayTake = always) =>
      db.transaction().execute(async (db) => {
        const imageId = await findImageId(db, of)
        if (imageId === undefined) return false
        const at = now().toISOString()
        if ('tag' in reference) {
          if (!mayTake(reference.tag)) await refuseMoved(db, imageId, reference.tag, undefined)
          return removeTag(db, imageId, reference.tag, at)
        }
        // A cached index may name what the image has not got.
        if (!(await find(db, of, reference))) return false
        await refuseNamed(db, imageId, reference.digest)
        for (const tag of await tagsOn(db, imageId, reference.digest)) if (!mayTake(tag)) throw tagFixed(tag)
        return removeManifest(db, imageId, reference.digest, at)
      }),
  }
}

function always(): boolean {
  return true
}

/** Under another media type it is something else to all who have its tags: as if these were moved. */
async function refuseAnotherType(
  db: MetadataDatabase,
  imageId: number,
  { digest, mediaType }: Manifest,
  mayTake: (tag: Tag) => boolean,
): Promise<void> {
  const tags = await db
    .selectFrom('manifests')
    .innerJoin('tags', (tag) =>
      tag.onRef('tags.image_id', '=', 'manifests.image_id').onRef('tags.digest', '=', 'manifests.digest'),
    )
    .where('manifests.image_id', '=', imageId)
    .where('manifests.digest', '=', digest)
    .where('manifests.media_type', '!=', mediaType)
    .select('tags.name')
    .execute()
  for (const { name } of tags) if (!mayTake(name)) throw tagFixed(name)
}

/** `to`: undefined when the tag is to be nowhere. */
export async function refuseMoved(
  db: MetadataDatabase,
  imageId: number,
  tag: Tag,
  to: Digest | undefined,
): Promise<void> {
  const before = await digestOfTag(db, imageId, tag)
  if (before !== undefined && before !== to) throw tagFixed(tag)
}

async function tagsOn(db: MetadataDatabase, imageId: number, digest: Digest): Promise<readonly Tag[]> {
  const tags = db.selectFrom('tags').where('image_id', '=', imageId).where('digest', '=', digest).select('name')
  return (await tags.execute()).map(({ name }) => name)
}

async function refuseNamed(db: MetadataDatabase, imageId: number, digest: Digest): Promise<void> {
  const namedBy = await findNaming(db, imageId, digest)
  if (!namedBy) return
  const message = `the manifest is named by the manifest ${namedBy} of this image: delete that first`
  throw new RegistryError('DENIED', { message, detail: { digest, manifest: namedBy } })
}
