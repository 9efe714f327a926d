import { sql } from 'kysely'
import type { Digest } from '../domain/digest.ts'
import { RegistryError } from '../domain/errors.ts'
import type { ManifestContents } from '../domain/manifest.ts'
import type { ImageName, RepositoryKey } from '../domain/names.ts'
import { v1ImageType, type V1Image, type V1ImageId } from '../domain/v1-image.ts'
import type { BlobState, MetadataDatabase } from './metadata-schema.ts'
import type { ImageRef } from './metadata-store.ts'
import { linkBlob } from './sql-blob-links.ts'
import { ensureImageId, findImageId } from './sql-image-id.ts'
import { isKept, keepManifest } from './sql-kept-manifests.ts'
import { refuseMissing } from './sql-manifest-references.ts'
import { reviewManifest } from './sql-reviews.ts'
import type { KeptV1Image, V1Images, V1Layer } from './v1-images.ts'

type KeptImages = Pick<V1Images, 'putV1Image' | 'copyV1Images' | 'findV1Images' | 'v1Ancestry' | 'listV1Images'>

/** Images of the V1 API that are complete. */
export function sqlV1Images(db: MetadataDatabase, now: () => Date): KeptImages {
  return {
    putV1Image: (of, image, layer) =>
      db.transaction().execute(async (db) => {
        const at = now().toISOString()
        const kept = await layerKeptInstead(db, of.repository, image, layer)
        if (kept) await linkBlob(db, of, kept, at, {})
        await keepImage(db, await ensureImageId(db, of), image, kept ?? layer, at)
      }),

    copyV1Images: (to, from, id) =>
      db.transaction().execute(async (db) => {
        const chain = await ancestry(db, from, id)
        if (chain.length === 0 || chain.some(({ isLost }) => isLost)) return false
        const at = now().toISOString()
        for (const { layer, ...image } of chain.toReversed()) {
          const json = await jsonOf(db, from, image.digest)
          await linkBlob(db, to, layer, at, {})
          await keepImage(db, await ensureImageId(db, to), { ...image, json }, layer, at)
        }
        return true
      }),

    findV1Images: async (repository, id) => {
      const found = sql<Row>`select ${columns} from v1_images v cross join images i ${joins}
        where v.id = ${id} and i.id = v.image_id and i.repository = ${repository}`
      return (await found.execute(db)).rows.map(keptImage).sort(byName)
    },

    v1Ancestry: (of, id) => ancestry(db, of, id),

    listV1Images: async (of, after = '' as V1ImageId, limit) => {
      const page = sql<Row>`select ${columns} from images i join v1_images v on v.image_id = i.id ${joins}
        where i.repository = ${of.repository} and i.name = ${of.image} and v.id > ${after} order by v.id limit ${limit}`
      return (await page.execute(db)).rows.map(keptImage)
    },
  }
}

interface Row {
  readonly repository: RepositoryKey
  readonly image: ImageName
  readonly id: V1ImageId
  readonly parent: V1ImageId | null
  readonly digest: Digest
  readonly layer: Digest
  readonly size: number
  readonly checksum: Digest
  readonly tarsum: string | null
  readonly state: BlobState
}

const columns = sql`i.repository, i.name as image, v.id, v.parent, v.digest, v.layer, b.size, v.checksum, v.tarsum, b.state`
const joins = sql`join blobs b on b.digest = v.layer`

function keptImage({ repository, image, parent, layer, size, checksum, tarsum, state, ...row }: Row): KeptV1Image {
  return {
    ...row,
    of: { repository, image },
    parent: parent ?? undefined,
    layer: { digest: layer, size, checksum, tarsum: tarsum ?? undefined },
    isLost: state !== 'kept',
  }
}

async function ancestry(db: MetadataDatabase, of: ImageRef, id: V1ImageId): Promise<readonly KeptV1Image[]> {
  const chain = sql<Row>`with recursive chain (image_id, id) as (
      select i.id, ${id} from images i where i.repository = ${of.repository} and i.name = ${of.image}
      union
      select c.image_id, v.parent from chain c
        join v1_images v on v.image_id = c.image_id and v.id = c.id where v.parent is not null
    )
    select ${columns} from chain c cross join v1_images v cross join images i ${joins}
    where v.image_id = c.image_id and v.id = c.id and i.id = c.image_id`
  const images = new Map((await chain.execute(db)).rows.map((row) => [row.id, keptImage(row)]))
  return [...upwards(images, id)]
}

async function jsonOf(db: MetadataDatabase, { repository, image }: ImageRef, digest: Digest): Promise<Uint8Array> {
  const { bytes } = await db
    .selectFrom('images')
    .innerJoin('manifests', 'manifests.image_id', 'images.id')
    .where('images.repository', '=', repository)
    .where('images.name', '=', image)
    .where('manifests.digest', '=', digest)
    .select('manifests.bytes')
    .executeTakeFirstOrThrow()
  return bytes
}

function* upwards(images: ReadonlyMap<V1ImageId, KeptV1Image>, from: V1ImageId): Generator<KeptV1Image> {
  for (let image = images.get(from); image; image = image.parent && images.get(image.parent)) yield image
}

function byName(one: KeptV1Image, other: KeptV1Image): number {
  return one.of.image < other.of.image ? -1 : 1
}

async function keepImage(
  db: MetadataDatabase,
  imageId: number,
  image: V1Image,
  layer: V1Layer,
  at: string,
): Promise<void> {
  const { id, digest, parent = null } = image
  const manifest = { digest, mediaType: v1ImageType, bytes: image.json }
  // While the repository spoke the V2 API, somebody may have pushed the JSON alone.
  const isThere = (await isKept(db, imageId, manifest)) && (await hasWholeImage(db, imageId, id))
  if (!isThere) {
    await keepManifest(db, imageId, manifest, await contentsOf(db, imageId, image, layer), at)
    await refuseMissing(db, imageId, digest)
    const { digest: blob, checksum, tarsum = null } = layer
    const known = { digest, parent, layer: blob, checksum, tarsum }
    await db
      .insertInto('v1_images')
      .values({ image_id: imageId, id, ...known })
      .onConflict((same) => same.columns(['image_id', 'id']).doUpdateSet(known))
      .execute()
  }
  await reviewManifest(db, imageId, digest, at)
}

/** One whose layer is lost takes the same files in another compression in its place. */
async function hasWholeImage(db: MetadataDatabase, imageId: number, id: V1ImageId): Promise<boolean> {
  const whole = sql`select 1 from v1_images v join blobs b on b.digest = v.layer
    where v.image_id = ${imageId} and v.id = ${id} and b.state = 'kept'`
  return (await whole.execute(db)).rows.length > 0
}

/** The layer, and the parent's JSON. */
async function contentsOf(
  db: MetadataDatabase,
  imageId: number,
  { parent }: V1Image,
  layer: V1Layer,
): Promise<ManifestContents> {
  const entries: Digest[] = []
  if (parent !== undefined) {
    const found = await digestOfId(db, imageId, parent)
    if (!found) throw new RegistryError('MANIFEST_BLOB_UNKNOWN', { message: 'Image depends on a non existing parent' })
    entries.push(found)
  }
  return { blobs: [layer.digest], entries, subject: undefined, artifactType: undefined }
}

/**
 * What the repository has in place of the layer: the same files in another compression are the same content, and the bytes that came first stay. Tarsum
 * says nothing of extended attributes, or of the order of files, so who pushes an image once more would change what others pull. Undefined:
 * nothing, or nothing that is still good. Throws CONFLICT.
 */
async function layerKeptInstead(
  db: MetadataDatabase,
  repository: RepositoryKey,
  { id, digest }: V1Image,
  layer: V1Layer,
): Promise<KeptV1Image['layer'] | undefined> {
  const find = (which: ReturnType<typeof sql>) =>
    sql<Row>`select ${columns}
    from v1_images v cross join images i ${joins}
    where v.id = ${id} and i.id = v.image_id and i.repository = ${repository} ${which} limit 1`.execute(db)
  const [row] = [...(await find(sql`and b.state = 'kept'`)).rows, ...(await find(sql``)).rows]
  if (!row) return undefined
  const there = keptImage(row).layer
  const isSame = there.digest === layer.digest || (there.tarsum !== undefined && there.tarsum === layer.tarsum)
  if (row.digest === digest && isSame) return there.digest === layer.digest || row.state !== 'kept' ? undefined : there
  throw new RegistryError('CONFLICT', {
    message: `the repository ${repository} has the image ${id} with another content: give the image a new id by building it again`,
    detail: { id },
  })
}

/** Undefined when the image name has it not. */
export async function findV1Digest(db: MetadataDatabase, of: ImageRef, id: V1ImageId) {
  const imageId = await findImageId(db, of)
  if (imageId === undefined) return undefined
  const digest = await digestOfId(db, imageId, id)
  return digest && { imageId, digest }
}

async function digestOfId(db: MetadataDatabase, imageId: number, id: V1ImageId): Promise<Digest | undefined> {
  const row = db.selectFrom('v1_images').where('image_id', '=', imageId).where('id', '=', id).select('digest')
  return (await row.executeTakeFirst())?.digest
}
