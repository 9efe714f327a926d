import { sql } from 'kysely'
import type { Digest } from '../domain/digest.ts'
import { RegistryError } from '../domain/errors.ts'
import type { RepositoryKey } from '../domain/names.ts'
import { formatSize } from '../domain/size.ts'
import type { MetadataDatabase } from './metadata-schema.ts'

/** How many bytes of blobs the images of a repository have; a blob that several of them have counts once. */
export function sqlRepositoryUsage(db: MetadataDatabase) {
  return { repositoryBytes: (repository: RepositoryKey) => usedBytes(db, repository) }
}

/** Before an upload begins, whose size nobody knows yet. Throws DENIED when nothing of `maxBytes` is left. */
export async function refuseUsedUp(
  db: MetadataDatabase,
  repository: RepositoryKey,
  maxBytes: number | undefined,
): Promise<void> {
  if (maxBytes === undefined) return
  const used = await usedBytes(db, repository)
  if (used >= maxBytes) throw beyondQuota({ repository, quota: maxBytes, used })
}

/** Before an image of the repository comes to have the blob. Throws DENIED when that would be more than `maxBytes`. */
export async function growUsage(
  db: MetadataDatabase,
  repository: RepositoryKey,
  blob: { readonly digest: Digest; readonly size: number },
  maxBytes: number | undefined,
): Promise<void> {
  if (await anImageHas(db, repository, blob.digest)) return
  const { bytes } = await db
    .insertInto('repository_usage')
    .values({ repository, bytes: blob.size })
    .onConflict((known) =>
      known.column('repository').doUpdateSet({ bytes: sql`repository_usage.bytes + ${blob.size}` }),
    )
    .returning('bytes')
    .executeTakeFirstOrThrow()
  if (maxBytes === undefined || bytes <= maxBytes) return
  throw beyondQuota({ repository, quota: maxBytes, used: bytes - blob.size, size: blob.size })
}

/** After an image of the repository has lost the blob. */
export async function shrinkUsage(db: MetadataDatabase, repository: RepositoryKey, digest: Digest): Promise<void> {
  if (await anImageHas(db, repository, digest)) return
  await sql`update repository_usage set bytes = bytes - (select b.size from blobs b where b.digest = ${digest})
    where repository = ${repository}`.execute(db)
}

/** Before the whole image goes. */
export async function shrinkUsageByImage(db: MetadataDatabase, repository: RepositoryKey, imageId: number) {
  await sql`update repository_usage set bytes = bytes - coalesce((
      select sum(b.size) from image_blobs l join blobs b on b.digest = l.digest
      where l.image_id = ${imageId} and not exists (
        select 1 from image_blobs o cross join images i
        where i.id = o.image_id and o.digest = l.digest and o.image_id <> ${imageId} and i.repository = ${repository}
      )
    ), 0) where repository = ${repository}`.execute(db)
}

interface BeyondQuota {
  readonly repository: RepositoryKey
  readonly quota: number
  readonly used: number
  /** Of the blob that is too much. */
  readonly size?: number
}

function beyondQuota(detail: BeyondQuota): RegistryError {
  const { repository, quota, used, size } = detail
  const blob = size === undefined ? '' : `, and the blob has ${formatSize(size)}`
  const message =
    `the quota of the repository ${repository} is ${formatSize(quota)}: ${formatSize(used)} are used${blob}; ` +
    'delete what is no longer needed, or ask an administrator for a larger quota'
  return new RegistryError('DENIED', { message, detail })
}

async function usedBytes(db: MetadataDatabase, repository: RepositoryKey): Promise<number> {
  const found = await db
    .selectFrom('repository_usage')
    .select('bytes')
    .where('repository', '=', repository)
    .executeTakeFirst()
  return found?.bytes ?? 0
}

/** By the images that have the blob, not by all of the repository: SQLite takes the tables of a cross join in their order. */
async function anImageHas(db: MetadataDatabase, repository: RepositoryKey, digest: Digest): Promise<boolean> {
  const found = sql`select 1 from image_blobs l cross join images i
    where i.id = l.image_id and l.digest = ${digest} and i.repository = ${repository} limit 1`
  return (await found.execute(db)).rows.length > 0
}
