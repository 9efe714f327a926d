import type { Digest } from '../domain/digest.ts'
import type { Manifest, ManifestContents } from '../domain/manifest.ts'
import type { Tag } from '../domain/names.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import { keepReferences } from './sql-manifest-references.ts'
import { reviewManifest, reviewWhatItHolds } from './sql-reviews.ts'

/** Under the same media type, and with bytes that have not rotted since. */
export async function isKept(
  db: MetadataDatabase,
  imageId: number,
  { digest, mediaType, bytes }: Manifest,
): Promise<boolean> {
  const row = await db
    .selectFrom('manifests')
    .select('digest')
    .where('image_id', '=', imageId)
    .where('digest', '=', digest)
    .where('media_type', '=', mediaType)
    .where('bytes', '=', bytes)
    .executeTakeFirst()
  return row !== undefined
}

/** Whatever the image has of what it names. */
export async function keepManifest(
  db: MetadataDatabase,
  imageId: number,
  { digest, mediaType, bytes }: Manifest,
  contents: ManifestContents,
  at: string,
): Promise<void> {
  const known = {
    bytes,
    media_type: mediaType,
    subject: contents.subject ?? null,
    artifact_type: contents.artifactType ?? null,
    pushed_at: at,
  }
  // Under another media type it may hold something else, and let go of what it held.
  await reviewWhatItHolds(db, imageId, digest, at)
  await db
    .insertInto('manifests')
    .values({ image_id: imageId, digest, ...known })
    .onConflict((same) => same.columns(['image_id', 'digest']).doUpdateSet(known))
    .execute()
  await keepReferences(db, imageId, digest, contents)
}

export async function digestOfTag(db: MetadataDatabase, imageId: number, name: Tag): Promise<Digest | undefined> {
  const row = await db
    .selectFrom('tags')
    .select('digest')
    .where('image_id', '=', imageId)
    .where('name', '=', name)
    .executeTakeFirst()
  return row?.digest
}

export async function moveTag(db: MetadataDatabase, image_id: number, name: Tag, digest: Digest, updated_at: string) {
  const before = await digestOfTag(db, image_id, name)
  await db
    .insertInto('tags')
    .values({ image_id, name, digest, updated_at })
    .onConflict((taken) => taken.columns(['image_id', 'name']).doUpdateSet({ digest, updated_at }))
    .execute()
  if (before === undefined || before === digest) return
  await reviewManifest(db, image_id, before, updated_at)
  // They were said of what it was on.
  await db.deleteFrom('tag_properties').where('image_id', '=', image_id).where('tag', '=', name).execute()
}
