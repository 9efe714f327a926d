import { sql } from 'kysely'
import type { Digest } from '../domain/digest.ts'
import type { ImageName, RepositoryKey } from '../domain/names.ts'
import type { MetadataDatabase } from './metadata-schema.ts'

/** That it is one of another registry, asked for now. */
export async function noteCached(
  db: MetadataDatabase,
  image_id: number,
  repository: RepositoryKey,
  digest: Digest,
  used_at: string,
): Promise<void> {
  await db
    .insertInto('cached_manifests')
    .values({ image_id, digest, repository, used_at })
    .onConflict((known) => known.columns(['image_id', 'digest']).doUpdateSet({ used_at: laterThan(used_at) }))
    .execute()
}

/** What was pushed here is left out: it is not removed for want of use. */
export async function noteUse(db: MetadataDatabase, imageId: number, digest: Digest, at: string): Promise<void> {
  await db
    .updateTable('cached_manifests')
    .set({ used_at: laterThan(at) })
    .where('image_id', '=', imageId)
    .where('digest', '=', digest)
    .execute()
}

/** A use that is told late takes nothing back. */
function laterThan(at: string) {
  return sql<string>`case when cached_manifests.used_at < ${at} then ${at} else cached_manifests.used_at end`
}

/** It is about to be pushed, and so to be here whole. False when it was not cached. */
export async function leaveCache(db: MetadataDatabase, imageId: number, digest: Digest): Promise<boolean> {
  const cached = db.deleteFrom('cached_manifests').where('image_id', '=', imageId).where('digest', '=', digest)
  return (await cached.executeTakeFirstOrThrow()).numDeletedRows > 0n
}

export interface CachedManifest {
  readonly image_id: number
  readonly repository: RepositoryKey
  readonly image: ImageName
  readonly digest: Digest
}

/** Those last asked for before `since`, the longest ago first. */
export async function unusedSince(
  db: MetadataDatabase,
  repository: RepositoryKey,
  since: string,
  limit: number,
): Promise<readonly CachedManifest[]> {
  // What a deleted image had goes with the image.
  const unused = sql<CachedManifest>`select c.image_id, i.repository, i.name as image, c.digest
    from cached_manifests c cross join images i
    where c.repository = ${repository} and c.used_at < ${since} and i.id = c.image_id and i.repository = c.repository
    order by c.used_at limit ${limit}`
  return (await unused.execute(db)).rows
}
