import { sql } from 'kysely'
import type { Digest } from '../domain/digest.ts'
import type { ImageName, RepositoryKey, Tag } from '../domain/names.ts'
import type { V1ImageId } from '../domain/v1-image.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import { parameter, prepare } from './prepared-query.ts'
import type { StoredItems, StoredManifest } from './stored-items.ts'

/** With `manifests` in reach. */
const standsAlone = sql<0 | 1>`(
  not exists (select 1 from tags t where t.image_id = manifests.image_id and t.digest = manifests.digest)
  or exists (select 1 from manifest_references r
    where r.image_id = manifests.image_id and r.digest = manifests.digest))`

export function sqlStoredItems(db: MetadataDatabase): StoredItems {
  const image = db
    .selectFrom('images')
    .where('images.repository', '=', parameter<RepositoryKey>('repository'))
    .where('images.name', '=', parameter<ImageName>('image'))
  const manifest = image
    .innerJoin('manifests', 'manifests.image_id', 'images.id')
    .select(['manifests.digest', 'manifests.media_type', 'manifests.bytes', 'manifests.pushed_at'])
    .select(standsAlone.as('standsAlone'))
  const byDigest = prepare(manifest.where('manifests.digest', '=', parameter<Digest>('digest')))
  const byTag = prepare(
    manifest
      .innerJoin('tags', (tag) =>
        tag.onRef('tags.image_id', '=', 'manifests.image_id').onRef('tags.digest', '=', 'manifests.digest'),
      )
      .where('tags.name', '=', parameter<Tag>('tag')),
  )
  const named = image
    .innerJoin('manifest_references as named', 'named.image_id', 'images.id')
    .where('named.manifest_digest', '=', parameter<Digest>('manifest'))
    .innerJoin('image_blobs', (held) =>
      held.onRef('image_blobs.image_id', '=', 'named.image_id').onRef('image_blobs.digest', '=', 'named.digest'),
    )
    .innerJoin('blobs', 'blobs.digest', 'named.digest')
    .where('blobs.state', '=', 'kept')
    .select(['blobs.digest', 'blobs.size'])
  const blobs = prepare(
    named
      .where('named.digest', '>', parameter<Digest>('after'))
      .orderBy('named.digest')
      .limit(parameter<number>('limit')),
  )
  const blob = prepare(named.where('named.digest', '=', parameter<Digest>('blob')).limit(1))
  const page = prepare(
    image
      .innerJoin('manifests', 'manifests.image_id', 'images.id')
      .where('manifests.digest', '>', parameter<Digest>('after'))
      .orderBy('manifests.digest')
      .limit(parameter<number>('limit'))
      .select('manifests.digest')
      .select(standsAlone.as('standsAlone')),
  )

  const v1Image = prepare(
    db
      .selectFrom('v1_images')
      .crossJoin('images') // SQLite takes them in this order: by the ids, not by all images of the repository
      .whereRef('images.id', '=', 'v1_images.image_id')
      .where('v1_images.id', '>', parameter<V1ImageId>('after'))
      .where('images.repository', '=', parameter<RepositoryKey>('repository'))
      .orderBy('v1_images.id')
      .limit(1)
      .select('v1_images.id'),
  )

  return {
    nextV1Image: async (repository, after) => (await v1Image.first(db, { repository, after }))?.id,
    findStoredManifest: async (of, reference) => {
      const row =
        'tag' in reference
          ? await byTag.first(db, { ...of, ...reference })
          : await byDigest.first(db, { ...of, ...reference })
      return row && storedOf(row)
    },
    listBlobsOf: (of, manifest, after = '' as Digest, limit) => blobs.all(db, { ...of, manifest, after, limit }),
    findBlobOf: (of, manifest, digest) => blob.first(db, { ...of, manifest, blob: digest }),
    listStandingAlone: async (of, after = '' as Digest, limit) => {
      const rows = await page.all(db, { ...of, after, limit })
      const items = rows.filter((row) => row.standsAlone === 1).map(({ digest }) => digest)
      return { items, next: rows.length === limit ? rows.at(-1)?.digest : undefined }
    },
  }
}

interface Row {
  readonly digest: Digest
  readonly media_type: string
  readonly bytes: Uint8Array
  readonly pushed_at: string
  readonly standsAlone: 0 | 1
}

function storedOf({ digest, media_type, bytes, pushed_at, standsAlone }: Row): StoredManifest {
  return { digest, mediaType: media_type, bytes, pushedAt: new Date(pushed_at), standsAlone: standsAlone === 1 }
}
