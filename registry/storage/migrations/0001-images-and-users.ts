import { sql, type Kysely } from 'kysely'

/**
 * Names and digests are compared byte by byte, which is SQLite's default (BINARY). Times are ISO 8601 in UTC.
 *
 * What is already released is never edited: a change is a new file.
 */
const statements = [
  sql`create table images (
    id integer primary key,
    repository text not null,
    name text not null,
    unique (repository, name)
  )`,
  sql`create table blobs (
    digest text primary key,
    size bigint not null
  )`,
  sql`create table image_blobs (
    image_id integer not null references images (id),
    digest text not null references blobs (digest),
    primary key (image_id, digest)
  )`,
  sql`create index image_blobs_by_digest on image_blobs (digest)`,
  sql`create table manifests (
    image_id integer not null references images (id),
    digest text not null,
    media_type text not null,
    bytes blob not null,
    subject text,
    artifact_type text,
    pushed_at text not null,
    primary key (image_id, digest)
  )`,
  sql`create index manifests_by_subject on manifests (image_id, subject) where subject is not null`,
  sql`create table manifest_references (
    image_id integer not null,
    manifest_digest text not null,
    digest text not null,
    kind text not null check (kind in ('blob', 'entry')),
    primary key (image_id, manifest_digest, digest, kind),
    foreign key (image_id, manifest_digest) references manifests (image_id, digest) on delete cascade
  )`,
  sql`create index manifest_references_by_digest on manifest_references (image_id, digest)`,
  sql`create table tags (
    image_id integer not null,
    name text not null,
    digest text not null,
    updated_at text not null,
    primary key (image_id, name),
    foreign key (image_id, digest) references manifests (image_id, digest) on delete cascade
  )`,
  sql`create index tags_by_digest on tags (image_id, digest)`,
  sql`create table uploads (
    id text primary key,
    image_id integer not null references images (id),
    started_at text not null
  )`,
  sql`create table users (
    name text primary key,
    password_hash text not null,
    admin integer not null check (admin in (0, 1))
  )`,
  sql`create table secrets (
    name text primary key,
    value text not null
  )`,
]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await statement.execute(db)
}
