import { sql, type Kysely } from 'kysely'

/** A value is a row of its own, so that things can be found by one. */
const statements = [
  sql`create table image_properties (
    image_id integer not null references images (id) on delete cascade,
    name text not null,
    value text not null,
    primary key (image_id, name, value)
  )`,
  sql`create table tag_properties (
    image_id integer not null,
    tag text not null,
    name text not null,
    value text not null,
    primary key (image_id, tag, name, value),
    foreign key (image_id, tag) references tags (image_id, name) on delete cascade
  )`,
]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await statement.execute(db)
}
