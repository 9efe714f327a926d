import { sql, type Kysely } from 'kysely'

/**
 * What is cached of other registries: which manifests, and when each was last asked for; and which blob an upload fetches. What is there
 * before was pushed here, and nobody else may have it.
 */
const statements = [
  sql`create table cached_manifests (
    image_id integer not null,
    digest text not null,
    repository text not null,
    used_at text not null,
    primary key (image_id, digest),
    foreign key (image_id, digest) references manifests (image_id, digest) on delete cascade
  )`,
  sql`create index cached_manifests_by_use on cached_manifests (repository, used_at)`,
  sql`alter table uploads add column fetched text`,
  sql`create index uploads_by_fetched on uploads (image_id, fetched, started_at) where fetched is not null`,
]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await statement.execute(db)
}
