import type { Digest } from '../domain/digest.ts'
import { RegistryError } from '../domain/errors.ts'
import type { ImageName, RepositoryKey } from '../domain/names.ts'
import type { UploadId } from './blob-store.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import type { UploadOptions, UploadOwner, UploadOwners } from './metadata-store.ts'
import { parameter, prepare } from './prepared-query.ts'
import { deletedImages, dropIfEmpty, ensureImageId } from './sql-image-id.ts'
import { refuseUsedUp } from './sql-repository-usage.ts'
import { reviewBlob } from './sql-reviews.ts'
import { recordBytes } from './sql-stored-blobs.ts'

export function sqlUploadOwners(db: MetadataDatabase, now: () => Date): UploadOwners {
  const find = prepare(
    db
      .selectFrom('uploads')
      .innerJoin('images', 'images.id', 'uploads.image_id')
      .where('uploads.id', '=', parameter<UploadId>('id'))
      .where('images.repository', '=', parameter<RepositoryKey>('repository'))
      .where('images.name', '=', parameter<ImageName>('image'))
      .select('uploads.id'),
  )
  const count = prepare(
    db
      .selectFrom('uploads')
      .where('principal', '=', parameter<string>('principal'))
      .select((it) => it.fn.countAll<number>().as('uploads')),
  )

  const countOf = async (db: MetadataDatabase, principal: string): Promise<number> =>
    (await count.first(db, { principal }))?.uploads ?? 0

  const refuseTooMany = async (db: MetadataDatabase, principal: string, { maxUploads = Infinity }: UploadOptions) => {
    const uploads = await countOf(db, principal)
    if (uploads < maxUploads) return
    throw new RegistryError('TOOMANYREQUESTS', {
      message:
        `${principal} has ${uploads} unfinished uploads, and ${maxUploads} are allowed: finish or cancel some, ` +
        'or wait until those that nobody goes on with are removed',
      detail: { uploads, maxUploads },
    })
  }

  return {
    addUpload: (of, id, options = {}) =>
      db.transaction().execute(async (db) => {
        const { principal = '', maxRepositoryBytes, fetches } = options
        if (principal !== '') await refuseTooMany(db, principal, options)
        await refuseUsedUp(db, of.repository, maxRepositoryBytes)
        const image_id = await ensureImageId(db, of)
        const started_at = now().toISOString()
        await db
          .insertInto('uploads')
          .values({ id, image_id, started_at, principal, fetched: fetches ?? null })
          .execute()
      }),

    ownsUpload: async (of, id) => (await find.first(db, { ...of, id })) !== undefined,

    expectBlob: (id, digest) =>
      db.transaction().execute(async (db) => {
        if (await isBeingDeleted(db, digest)) return false
        const claimed = db.updateTable('uploads').set({ expected: digest }).where('id', '=', id)
        if ((await claimed.executeTakeFirstOrThrow()).numUpdatedRows === 0n) throw uploadUnknown(id)
        return true
      }),

    removeUpload: (id) =>
      db.transaction().execute(async (db) => {
        const [removed] = await db.deleteFrom('uploads').where('id', '=', id).returning('image_id').execute()
        if (removed) await dropIfEmpty(db, removed.image_id)
      }),

    releaseBlob: (id, digest, size) =>
      db.transaction().execute(async (db) => {
        const imageId = await endUpload(db, id)
        await recordBytes(db, { digest, size })
        await reviewBlob(db, digest, now().toISOString())
        await dropIfEmpty(db, imageId)
      }),

    countUploads: (principal) => countOf(db, principal),

    listUploadOwners: async () => (await owners(db).orderBy('uploads.id').execute()).map(ownerOf),

    findUploadOwner: async (id) => {
      const row = await owners(db).where('uploads.id', '=', id).executeTakeFirst()
      return row && ownerOf(row)
    },
  }
}

function owners(db: MetadataDatabase) {
  return db
    .selectFrom('uploads')
    .innerJoin('images', 'images.id', 'uploads.image_id')
    .select(['uploads.id', 'images.repository', 'images.name', 'uploads.started_at', 'uploads.expected'])
}

type OwnerRow = Awaited<ReturnType<ReturnType<typeof owners>['executeTakeFirstOrThrow']>>

function ownerOf({ id, repository, name, started_at, expected }: OwnerRow): UploadOwner {
  return {
    id,
    of: repository === deletedImages ? undefined : { repository, image: name },
    startedAt: new Date(started_at),
    expected: expected ?? undefined,
  }
}

/**
 * Resolves with the id of its image. Throws BLOB_UPLOAD_UNKNOWN: whoever ended it before knows more about the bytes than the caller does.
 */
export async function endUpload(db: MetadataDatabase, id: UploadId): Promise<number> {
  const [ended] = await db.deleteFrom('uploads').where('id', '=', id).returning('image_id').execute()
  if (!ended) throw uploadUnknown(id)
  return ended.image_id
}

function uploadUnknown(id: UploadId): RegistryError {
  return new RegistryError('BLOB_UPLOAD_UNKNOWN', { detail: { upload: id } })
}

async function isBeingDeleted(db: MetadataDatabase, digest: Digest): Promise<boolean> {
  const row = await db.selectFrom('blobs').select('state').where('digest', '=', digest).executeTakeFirst()
  return row?.state === 'deleting'
}
