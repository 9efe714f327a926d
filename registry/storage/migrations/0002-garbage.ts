import { sql, type Kysely } from 'kysely'

/**
 * Three queues of what may have become garbage, each row since when; what is in use leaves its queue when it is looked at. They
 * begin with all that nothing holds today. What refers to a row goes with it, so a queue never names what is gone.
 */
const statements = [
  sql`alter table blobs add column state text not null default 'kept' check (state in ('kept', 'deleting', 'quarantined'))`,
  sql`create index blobs_not_kept on blobs (state, digest) where state <> 'kept'`,
  sql`alter table uploads add column expected text`,
  sql`alter table uploads add column principal text not null default ''`,
  sql`create index uploads_by_expected on uploads (expected) where expected is not null`,
  sql`create index uploads_by_principal on uploads (principal)`,
  sql`create index uploads_by_image on uploads (image_id)`,
  // With all that is asked for by them, or SQLite reads the rows of the whole image instead.
  sql`drop index manifest_references_by_digest`,
  sql`create index manifest_references_by_digest on manifest_references (image_id, digest, manifest_digest)`,
  sql`drop index manifests_by_subject`,
  sql`create index manifests_by_subject on manifests (image_id, subject, digest) where subject is not null`,
  sql`create table manifest_reviews (
    image_id integer not null,
    digest text not null,
    repository text not null,
    since text not null,
    primary key (image_id, digest),
    foreign key (image_id, digest) references manifests (image_id, digest) on delete cascade
  )`,
  sql`create index manifest_reviews_by_age on manifest_reviews (repository, since)`,
  sql`create table link_reviews (
    image_id integer not null,
    digest text not null,
    since text not null,
    primary key (image_id, digest),
    foreign key (image_id, digest) references image_blobs (image_id, digest) on delete cascade
  )`,
  sql`create index link_reviews_by_age on link_reviews (since)`,
  sql`create table blob_reviews (
    digest text primary key references blobs (digest) on delete cascade,
    since text not null
  )`,
  sql`create index blob_reviews_by_age on blob_reviews (since)`,
  sql`create table repository_usage (
    repository text primary key,
    bytes bigint not null
  )`,
]

function beginWithToday(now: string) {
  return [
    sql`insert into manifest_reviews (image_id, digest, repository, since)
      select m.image_id, m.digest, i.repository, ${now} from manifests m join images i on i.id = m.image_id
      where not exists (select 1 from tags t where t.image_id = m.image_id and t.digest = m.digest)`,
    sql`insert into link_reviews (image_id, digest, since)
      select b.image_id, b.digest, ${now} from image_blobs b
      where not exists (select 1 from manifest_references r where r.image_id = b.image_id and r.digest = b.digest)`,
    sql`insert into blob_reviews (digest, since)
      select b.digest, ${now} from blobs b where not exists (select 1 from image_blobs l where l.digest = b.digest)`,
    sql`insert into repository_usage (repository, bytes)
      select repository, sum(size) from (
        select distinct i.repository, b.digest, b.size
        from images i join image_blobs l on l.image_id = i.id join blobs b on b.digest = l.digest
      ) linked group by repository`,
  ]
}

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await statement.execute(db)
  for (const statement of beginWithToday(new Date().toISOString())) await statement.execute(db)
}
