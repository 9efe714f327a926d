import { sql, type Kysely } from 'kysely'

/** What was found in layers that have been read as a whole: reading one takes as long as pulling it. */
const statements = [
  sql`create table layer_contents (
    digest text primary key references blobs (digest) on delete cascade,
    diff_id text not null,
    packing text not null,
    in_gzip text
  )`,
]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await statement.execute(db)
}
