import { sql } from 'kysely'
import type { Digest } from '../domain/digest.ts'
import type { ImageName, RepositoryKey } from '../domain/names.ts'
import type { Garbage } from './garbage.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import { deletedImages } from './sql-image-id.ts'
import { removeLink, removeManifest, upToWeight } from './sql-removals.ts'
import { reviewBlob, reviewManifest } from './sql-reviews.ts'

interface Row {
  readonly image_id: number
  readonly repository: RepositoryKey
  readonly image: ImageName
  readonly digest: Digest
  readonly size: number
  readonly since: string
}

export function sqlGarbage(db: MetadataDatabase, now: () => Date): Omit<Garbage, 'clearDeletedImages'> {
  return {
    findUnheldManifests: async (repository, since, limit) =>
      (await queuedManifests(db, repository, since, limit, sql`where not held and not expected`)).map(unheld),

    collectManifests: (repository, since, limit) =>
      db.transaction().execute(async (db) => {
        const queued = await queuedManifests(db, repository, since, limit)
        const stays = queued.filter((row) => row.held || row.expected)
        const unneeded = queued.filter((row) => !row.held && !row.expected)
        const goes = await upToWeight(db, unneeded, limit)
        const at = now().toISOString()
        // First: what is held by one that goes now comes into the queue again.
        for (const row of stays)
          if (row.held) await leaveQueue(db, 'manifest_reviews', row)
          else await reviewManifest(db, row.image_id, row.digest, at)
        for (const row of goes) await removeManifest(db, row.image_id, row.digest, at)
        return { reviewed: stays.length + goes.length, removed: goes.map(unheld) }
      }),

    findUnheldLinks: async (since, limit) => (await queuedLinks(db, since, limit, sql`where not held`)).map(unheld),

    collectLinks: (since, limit) =>
      db.transaction().execute(async (db) => {
        const queued = await queuedLinks(db, since, limit)
        for (const row of queued)
          if (row.held) await leaveQueue(db, 'link_reviews', row)
          else await removeLink(db, row.image_id, row.repository, row.digest, now().toISOString())
        return { reviewed: queued.length, removed: queued.filter(({ held }) => !held).map(unheld) }
      }),

    findUnheldBlobs: async (since, limit) =>
      (await queuedBlobs(db, since, limit, sql`where not linked and not expected`)).map(unheldBlob),

    condemnBlobs: (since, limit) =>
      db.transaction().execute(async (db) => {
        const queued = await queuedBlobs(db, since, limit)
        for (const { digest, linked, expected } of queued)
          if (linked) await db.deleteFrom('blob_reviews').where('digest', '=', digest).execute()
          else if (expected) await reviewBlob(db, digest, now().toISOString())
          else await condemn(db, digest)
        const condemned = queued.filter(({ linked, expected }) => !linked && !expected)
        return { reviewed: queued.length, removed: condemned.map(unheldBlob) }
      }),

    listCondemnedBlobs: async (limit) => {
      const rows = await db
        .selectFrom('blobs')
        .select('digest')
        .where('state', '=', 'deleting')
        .where(sql<boolean>`state <> 'kept'`) // in the words of the index blobs_not_kept, or it is not used
        .limit(limit)
        .execute()
      return rows.map(({ digest }) => digest)
    },

    forgetBlobs: (digests) =>
      db.transaction().execute(async (db) => {
        for (const digest of digests)
          await db.deleteFrom('blobs').where('digest', '=', digest).where('state', '=', 'deleting').execute()
      }),

    reprieveBlob: (digest) =>
      db.transaction().execute(async (db) => {
        const condemned = db.updateTable('blobs').where('digest', '=', digest).where('state', '=', 'deleting')
        const { numUpdatedRows } = await condemned.set({ state: 'kept' }).executeTakeFirstOrThrow()
        if (numUpdatedRows === 1n) await reviewBlob(db, digest, now().toISOString())
      }),

    countReviews: async () => ({
      manifests: await countAll(db, 'manifest_reviews'),
      links: await countAll(db, 'link_reviews'),
      blobs: await countAll(db, 'blob_reviews'),
    }),
  }
}

const everything = sql``
const openPushes = sql`(select * from v1_pushes where is_open = 1)`

type QueuedManifest = Row & { readonly held: 0 | 1; readonly expected: 0 | 1 }

/**
 * What is in a queue of review, the oldest first, and whether something holds it. A V1 image is expected where a push to another image name
 * may have been told that it is there: that takes it from here when it comes to it.
 */
async function queuedManifests(
  db: MetadataDatabase,
  repository: RepositoryKey,
  since: Date,
  limit: number,
  which = everything,
): Promise<readonly QueuedManifest[]> {
  const queued = sql<QueuedManifest>`select * from (
      select q.image_id, i.repository, i.name as image, q.digest, length(m.bytes) as size, q.since,
        exists (select 1 from tags t where t.image_id = q.image_id and t.digest = q.digest)
        or exists (select 1 from manifest_references r where r.image_id = q.image_id and r.digest = q.digest)
        or exists (select 1 from manifests s where s.image_id = q.image_id and s.digest = m.subject)
        or exists (select 1 from v1_images v cross join ${openPushes} p
          where v.image_id = q.image_id and v.digest = q.digest and p.repository = i.repository and p.id = v.id
            and p.image = i.name) as held,
        exists (select 1 from v1_images v cross join ${openPushes} p
          where v.image_id = q.image_id and v.digest = q.digest and p.repository = i.repository and p.id = v.id) as expected
      from manifest_reviews q
        join images i on i.id = q.image_id
        join manifests m on m.image_id = q.image_id and m.digest = q.digest
      where q.repository = ${repository} and q.since <= ${since.toISOString()} and i.repository <> ${deletedImages}
      order by q.since
    ) queued ${which} limit ${limit}`
  return (await queued.execute(db)).rows
}

async function queuedLinks(
  db: MetadataDatabase,
  since: Date,
  limit: number,
  which = everything,
): Promise<readonly (Row & { readonly held: 0 | 1 })[]> {
  const queued = sql<Row & { readonly held: 0 | 1 }>`select * from (
      select q.image_id, i.repository, i.name as image, q.digest, b.size, q.since,
        exists (select 1 from manifest_references r where r.image_id = q.image_id and r.digest = q.digest)
        or exists (select 1 from ${openPushes} p where p.layer is not null and p.layer = q.digest
          and p.repository = i.repository and p.image = i.name) as held
      from link_reviews q join images i on i.id = q.image_id join blobs b on b.digest = q.digest
      where q.since <= ${since.toISOString()} and i.repository <> ${deletedImages}
      order by q.since
    ) queued ${which} limit ${limit}`
  return (await queued.execute(db)).rows
}

type QueuedBlob = Pick<Row, 'digest' | 'size' | 'since'> & { readonly linked: 0 | 1; readonly expected: 0 | 1 }

async function queuedBlobs(
  db: MetadataDatabase,
  since: Date,
  limit: number,
  which = everything,
): Promise<readonly QueuedBlob[]> {
  const queued = sql<QueuedBlob>`select * from (
      select q.digest, b.size, q.since,
        exists (select 1 from image_blobs l where l.digest = q.digest) as linked,
        exists (select 1 from uploads u where u.expected = q.digest) as expected
      from blob_reviews q join blobs b on b.digest = q.digest
      where q.since <= ${since.toISOString()}
      order by q.since
    ) queued ${which} limit ${limit}`
  return (await queued.execute(db)).rows
}

async function leaveQueue(db: MetadataDatabase, queue: 'manifest_reviews' | 'link_reviews', row: Row): Promise<void> {
  await db.deleteFrom(queue).where('image_id', '=', row.image_id).where('digest', '=', row.digest).execute()
}

async function condemn(db: MetadataDatabase, digest: Digest): Promise<void> {
  await db.updateTable('blobs').set({ state: 'deleting' }).where('digest', '=', digest).execute()
  await db.deleteFrom('blob_reviews').where('digest', '=', digest).execute()
}

async function countAll(
  db: MetadataDatabase,
  queue: 'manifest_reviews' | 'link_reviews' | 'blob_reviews',
): Promise<number> {
  const { rows } = await sql<{ readonly n: number }>`select count(*) as n from ${sql.table(queue)}`.execute(db)
  return rows[0]?.n ?? 0
}

function unheld({ repository, image, digest, size, since }: Row) {
  return { of: { repository, image }, digest, size, since: new Date(since) }
}

function unheldBlob({ digest, size, since }: QueuedBlob) {
  return { digest, size, since: new Date(since) }
}
