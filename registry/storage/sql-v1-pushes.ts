import { sql, type Selectable } from 'kysely'
import type { V1ImageId } from '../domain/v1-image.ts'
import type { MetadataDatabase, MetadataSchema } from './metadata-schema.ts'
import type { PushedV1Image, V1Images, V1Push } from './v1-images.ts'

type Pushes = Pick<
  V1Images,
  'announceV1' | 'findPushedV1' | 'setPushedJson' | 'setPushedLayer' | 'endV1Push' | 'expireV1Pushes'
>

/** A client announces all images that there are, and databases limit the values of one statement. */
const rowsPerInsert = 50

const nothingYet = {
  json: null,
  layer: null,
  layer_size: null,
  checksum: null,
  tarsum: null,
  tarsum_v1: null,
  is_tarsum_certain: 0,
} as const

/** Images of the V1 API on their way in. */
export function sqlV1Pushes(db: MetadataDatabase, now: () => Date): Pushes {
  return {
    announceV1: (push, ids) =>
      db.transaction().execute(async (db) => {
        const row = { ...placeOf(push), ...nothingYet, is_open: 1 as const, touched_at: now().toISOString() }
        const rows = [...new Set(ids)].map((id) => ({ ...row, id }))
        for (let start = 0; start < rows.length; start += rowsPerInsert)
          await db
            .insertInto('v1_pushes')
            .values(rows.slice(start, start + rowsPerInsert))
            .onConflict((known) =>
              known
                .columns(['repository', 'image', 'principal', 'id'])
                .doUpdateSet({ is_open: 1, touched_at: row.touched_at }),
            )
            .execute()
      }),

    findPushedV1: async (repository, id, principal) => {
      const rows = await db
        .selectFrom('v1_pushes')
        .selectAll()
        .where('repository', '=', repository)
        .where('id', '=', id)
        .where('principal', '=', principal)
        .orderBy('touched_at', 'desc')
        .execute()
      return rows.map(pushedImage)
    },

    setPushedJson: (push, id, json) =>
      db.transaction().execute(async (db) => {
        const touched_at = now().toISOString()
        const same = rowOf(db, push, id).set({ touched_at }).where('json', '=', json)
        if ((await same.executeTakeFirstOrThrow()).numUpdatedRows > 0n) return true
        // What has come of the layer is of use for the same JSON alone.
        await reviewLayer(db, sql`${isRow(push, id)} and p.is_open = 1`, touched_at)
        const anew = rowOf(db, push, id).set({ ...nothingYet, json, touched_at })
        return (await anew.executeTakeFirstOrThrow()).numUpdatedRows > 0n
      }),

    setPushedLayer: (push, { id, json }, { digest, size, checksum, tarsum, tarsumV1, isTarsumCertain }) =>
      db.transaction().execute(async (db) => {
        const touched_at = now().toISOString()
        await reviewLayer(db, sql`${isRow(push, id)} and p.is_open = 1 and p.layer <> ${digest}`, touched_at)
        const { numUpdatedRows } = await rowOf(db, push, id)
          .set({
            layer: digest,
            layer_size: size,
            checksum,
            tarsum: tarsum ?? null,
            tarsum_v1: tarsumV1 ?? null,
            is_tarsum_certain: isTarsumCertain ? 1 : 0,
            touched_at,
          })
          .where('json', '=', json)
          .executeTakeFirstOrThrow()
        return numUpdatedRows > 0n
      }),

    endV1Push: (push) =>
      db.transaction().execute(async (db) => {
        const at = now().toISOString()
        const { repository, image, principal } = push
        const ended = sql`p.repository = ${repository} and p.image = ${image} and p.principal = ${principal} and p.is_open = 1`
        await reviewWhatIsLetGo(db, ended, at)
        await sql`update v1_pushes as p set is_open = 0 where ${ended}`.execute(db)
      }),

    expireV1Pushes: (since, limit) =>
      db.transaction().execute(async (db) => {
        const old = sql`(p.repository, p.image, p.principal, p.id) in (
          select o.repository, o.image, o.principal, o.id from v1_pushes o where o.touched_at < ${since.toISOString()} and not exists (
            select 1 from v1_pushes n where n.repository = o.repository and n.image = o.image and n.principal = o.principal
              and n.touched_at >= ${since.toISOString()}
          ) limit ${limit})`
        await reviewWhatIsLetGo(db, sql`${old} and p.is_open = 1`, now().toISOString())
        const { numAffectedRows } = await sql`delete from v1_pushes as p where ${old}`.execute(db)
        return Number(numAffectedRows)
      }),
  }
}

function placeOf({ repository, image, principal }: V1Push) {
  return { repository, image, principal }
}

function rowOf(db: MetadataDatabase, { repository, image, principal }: V1Push, id: V1ImageId) {
  return db
    .updateTable('v1_pushes')
    .where('repository', '=', repository)
    .where('image', '=', image)
    .where('principal', '=', principal)
    .where('id', '=', id)
}

/** The same with the table's name being `p`. */
function isRow({ repository, image, principal }: V1Push, id: V1ImageId) {
  return sql`p.repository = ${repository} and p.image = ${image} and p.principal = ${principal} and p.id = ${id}`
}

/** What an open push has held until now: complete images and layers of its image name. */
async function reviewWhatIsLetGo(db: MetadataDatabase, which: ReturnType<typeof sql>, at: string): Promise<void> {
  await sql`insert into manifest_reviews (image_id, digest, repository, since)
    select v.image_id, v.digest, i.repository, ${at}
    from v1_pushes p join images i on i.repository = p.repository and i.name = p.image
      join v1_images v on v.image_id = i.id and v.id = p.id
    where ${which}
    on conflict (image_id, digest) do update set since = excluded.since`.execute(db)
  await reviewLayer(db, which, at)
}

async function reviewLayer(db: MetadataDatabase, which: ReturnType<typeof sql>, at: string): Promise<void> {
  await sql`insert into link_reviews (image_id, digest, since)
    select l.image_id, l.digest, ${at}
    from v1_pushes p join images i on i.repository = p.repository and i.name = p.image
      join image_blobs l on l.image_id = i.id and l.digest = p.layer
    where ${which}
    on conflict (image_id, digest) do update set since = excluded.since`.execute(db)
}

function pushedImage(row: Selectable<MetadataSchema['v1_pushes']>): PushedV1Image {
  const { layer, layer_size: size, checksum } = row
  return {
    push: placeOf(row),
    id: row.id,
    json: row.json ?? undefined,
    layer:
      layer !== null && size !== null && checksum !== null
        ? {
            digest: layer,
            size,
            checksum,
            tarsum: row.tarsum ?? undefined,
            tarsumV1: row.tarsum_v1 ?? undefined,
            isTarsumCertain: row.is_tarsum_certain === 1,
          }
        : undefined,
  }
}
