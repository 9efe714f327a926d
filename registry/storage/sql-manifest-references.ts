import type { Digest } from '../domain/digest.ts'
import { RegistryError } from '../domain/errors.ts'
import type { ManifestContents } from '../domain/manifest.ts'
import type { MetadataDatabase } from './metadata-schema.ts'

/** A manifest can name ten thousands; databases limit the values of one statement. */
const rowsPerInsert = 100

/** What a manifest names depends on its media type, so those of an earlier one go. */
export async function keepReferences(
  db: MetadataDatabase,
  image_id: number,
  manifest_digest: Digest,
  { blobs, entries }: ManifestContents,
): Promise<void> {
  await db
    .deleteFrom('manifest_references')
    .where('image_id', '=', image_id)
    .where('manifest_digest', '=', manifest_digest)
    .execute()
  const references = [
    ...blobs.map((digest) => ({ image_id, manifest_digest, digest, kind: 'blob' as const })),
    ...entries.map((digest) => ({ image_id, manifest_digest, digest, kind: 'entry' as const })),
  ]
  for (let start = 0; start < references.length; start += rowsPerInsert) {
    await db
      .insertInto('manifest_references')
      .values(references.slice(start, start + rowsPerInsert))
      .onConflict((repeated) => repeated.doNothing())
      .execute()
  }
}

/** Throws, and so rolls back, unless the image has every blob and every entry that the manifest names. */
export async function refuseMissing(db: MetadataDatabase, imageId: number, manifestDigest: Digest): Promise<void> {
  const missing = await db
    .selectFrom('manifest_references as named')
    .leftJoin('image_blobs', (blob) =>
      blob.onRef('image_blobs.image_id', '=', 'named.image_id').onRef('image_blobs.digest', '=', 'named.digest'),
    )
    .leftJoin('blobs', (blob) => blob.onRef('blobs.digest', '=', 'image_blobs.digest').on('blobs.state', '=', 'kept'))
    .leftJoin('manifests', (entry) =>
      entry
        .onRef('manifests.image_id', '=', 'named.image_id')
        .onRef('manifests.digest', '=', 'named.digest')
        .on('named.kind', '=', 'entry'),
    )
    .select('named.digest')
    .where('named.image_id', '=', imageId)
    .where('named.manifest_digest', '=', manifestDigest)
    .where('blobs.digest', 'is', null)
    .where('manifests.digest', 'is', null)
    .orderBy('named.digest')
    .execute()
  if (missing.length === 0) return
  throw new RegistryError('MANIFEST_BLOB_UNKNOWN', { detail: { missing: missing.map(({ digest }) => digest) } })
}

/** A manifest of the image that names `digest`. */
export async function findNaming(db: MetadataDatabase, imageId: number, digest: Digest): Promise<Digest | undefined> {
  const row = await db
    .selectFrom('manifest_references')
    .select('manifest_digest')
    .where('image_id', '=', imageId)
    .where('digest', '=', digest)
    .limit(1)
    .executeTakeFirst()
  return row?.manifest_digest
}
