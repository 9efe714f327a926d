import { sql } from 'kysely'
import type { Digest } from '../domain/digest.ts'
import type { MetadataDatabase } from './metadata-schema.ts'

/** Queues the manifest as perhaps no longer held by anything, from `since` on. */
export async function reviewManifest(db: MetadataDatabase, imageId: number, digest: Digest, since: string) {
  await reviewManifests(db, imageId, sql`m.digest = ${digest}`, since)
}

/** Queues all that is held by this manifest, which is about to go: its blobs, its entries, and what has it as its subject. */
export async function reviewWhatItHolds(db: MetadataDatabase, imageId: number, manifest: Digest, since: string) {
  const named = sql`select r.digest from manifest_references r where r.image_id = ${imageId} and r.manifest_digest = ${manifest}`
  await sql`insert into link_reviews (image_id, digest, since)
    select l.image_id, l.digest, ${since} from image_blobs l where l.image_id = ${imageId} and l.digest in (${named})
    on conflict (image_id, digest) do update set since = excluded.since`.execute(db)
  await reviewManifests(db, imageId, sql`m.digest in (${named})`, since)
  await reviewManifests(db, imageId, sql`m.subject = ${manifest}`, since)
}

export async function reviewLink(db: MetadataDatabase, image_id: number, digest: Digest, since: string) {
  await db
    .insertInto('link_reviews')
    .values({ image_id, digest, since })
    .onConflict((queued) => queued.columns(['image_id', 'digest']).doUpdateSet({ since }))
    .execute()
}

export async function reviewBlob(db: MetadataDatabase, digest: Digest, since: string) {
  await db
    .insertInto('blob_reviews')
    .values({ digest, since })
    .onConflict((queued) => queued.column('digest').doUpdateSet({ since }))
    .execute()
}

async function reviewManifests(db: MetadataDatabase, imageId: number, which: ReturnType<typeof sql>, since: string) {
  await sql`insert into manifest_reviews (image_id, digest, repository, since)
    select m.image_id, m.digest, i.repository, ${since} from manifests m join images i on i.id = m.image_id
    where m.image_id = ${imageId} and ${which}
    on conflict (image_id, digest) do update set since = excluded.since`.execute(db)
}
