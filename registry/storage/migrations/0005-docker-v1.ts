import { sql, type Kysely } from 'kysely'

/**
 * Images of the V1 API. Each is a manifest of the image name that has it, which names its layer and its parent; `v1_images` finds it by
 * its id. `v1_pushes` is what somebody has said to push, and how far each has come: what is open is not garbage.
 */
const statements = [
  sql`create table v1_images (
    image_id integer not null,
    id text not null,
    digest text not null,
    parent text,
    layer text not null,
    checksum text not null,
    tarsum text,
    primary key (image_id, id),
    foreign key (image_id, digest) references manifests (image_id, digest) on delete cascade
  )`,
  sql`create index v1_images_by_id on v1_images (id, image_id)`,
  sql`create index v1_images_by_digest on v1_images (image_id, digest, id)`,
  sql`create table v1_pushes (
    repository text not null,
    image text not null,
    principal text not null,
    id text not null,
    is_open integer not null check (is_open in (0, 1)),
    touched_at text not null,
    json blob,
    layer text,
    layer_size bigint,
    checksum text,
    tarsum text,
    tarsum_v1 text,
    is_tarsum_certain integer not null default 0 check (is_tarsum_certain in (0, 1)),
    primary key (repository, image, principal, id)
  )`,
  sql`create index v1_pushes_by_id on v1_pushes (repository, id, principal, touched_at)`,
  sql`create index v1_pushes_by_layer on v1_pushes (layer, repository, image, is_open) where layer is not null`,
  sql`create index v1_pushes_by_age on v1_pushes (touched_at)`,
]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await statement.execute(db)
}
