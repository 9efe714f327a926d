import { sql } from 'kysely'
import type { Digest } from '../domain/digest.ts'
import type { ImageName, ImageRef, RepositoryKey, Tag } from '../domain/names.ts'
import type { BlobHolder, Integrity, Judgement, StoredBlob } from './integrity.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import { deletedImages } from './sql-image-id.ts'

export function sqlIntegrity(db: MetadataDatabase): Integrity {
  return {
    listStoredBlobs: async (after = '' as Digest, limit) => {
      const page = sql<StoredBlob>`select digest, size, state from blobs where digest > ${after} and state <> 'deleting'
        order by digest limit ${limit}`
      return (await page.execute(db)).rows
    },

    isBlobKnown: async (digest) => {
      const known = sql`select 1 from blobs where digest = ${digest} union all select 1 from uploads where expected = ${digest}`
      return (await known.execute(db)).rows.length > 0
    },

    isQuarantined: async (digest) => (await findBlob(db, digest))?.state === 'quarantined',

    judgeBlob: (digest, judge) =>
      db.transaction().execute(async (db) => {
        const blob = await findBlob(db, digest)
        if (!blob) return false
        const state = await judge({ state: blob.state, expected: blob.expected === 1 })
        if (state) await db.updateTable('blobs').set({ state }).where('digest', '=', digest).execute()
        return true
      }),

    listHolders: (digest) => listHolders(db, digest),

    listPlacedManifests: async (after, limit) => {
      const rows = await db
        .selectFrom('manifests')
        .innerJoin('images', 'images.id', 'manifests.image_id')
        .where('images.repository', '<>', deletedImages)
        .where(sql<boolean>`(manifests.image_id, manifests.digest) > (${after?.imageId ?? 0}, ${after?.digest ?? ''})`)
        .select(['repository', 'name', 'image_id', 'digest', 'media_type', 'bytes'])
        .orderBy('manifests.image_id')
        .orderBy('manifests.digest')
        .limit(limit)
        .execute()
      return rows.map(({ repository, name, image_id, digest, media_type, bytes }) => ({
        of: { repository, image: name },
        manifest: { digest, mediaType: media_type, bytes },
        place: { imageId: image_id, digest },
      }))
    },
  }
}

async function findBlob(db: MetadataDatabase, digest: Digest) {
  const query = sql<{ readonly state: Judgement; readonly expected: 0 | 1 }>`
    select state, exists (select 1 from uploads u where u.expected = b.digest) as expected
    from blobs b where digest = ${digest} and state <> 'deleting'`
  return (await query.execute(db)).rows[0]
}

/** An index names manifests, and may itself be named by one. */
async function listHolders(db: MetadataDatabase, digest: Digest): Promise<readonly BlobHolder[]> {
  const query = sql<Row>`
    with recursive naming (image_id, digest) as (
      select r.image_id, r.manifest_digest from manifest_references r
        join image_blobs l on l.image_id = r.image_id and l.digest = r.digest
        where l.digest = ${digest}
      union
      select r.image_id, r.manifest_digest from naming n
        join manifest_references r on r.image_id = n.image_id and r.digest = n.digest
    )
    select i.repository, i.name as image, n.digest as manifest, t.name as tag
    from image_blobs l join images i on i.id = l.image_id
      left join naming n on n.image_id = i.id
      left join tags t on t.image_id = i.id and t.digest = n.digest
    where l.digest = ${digest} and i.repository <> ${deletedImages}
    order by i.repository, i.name, n.digest, t.name`
  return grouped((await query.execute(db)).rows)
}

interface Row {
  readonly repository: RepositoryKey
  readonly image: ImageName
  readonly manifest: Digest | null
  readonly tag: Tag | null
}

function grouped(rows: readonly Row[]): readonly BlobHolder[] {
  const holders = new Map<string, { of: ImageRef; tags: Map<Digest, Tag[]> }>()
  for (const { repository, image, manifest, tag } of rows) {
    const holder = getOrMake(holders, `${repository}/${image}`, () => ({ of: { repository, image }, tags: new Map() }))
    if (manifest === null) continue
    const tags = getOrMake(holder.tags, manifest, () => [])
    if (tag !== null) tags.push(tag)
  }
  return [...holders.values()].map(({ of, tags }) => ({
    of,
    manifests: [...tags].map(([digest, tags]) => ({ digest, tags })),
  }))
}

function getOrMake<key, value>(map: Map<key, value>, key: key, make: () => value): value {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}
