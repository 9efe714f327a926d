import { sql } from 'kysely'
import type { Digest } from '../domain/digest.ts'
import type { BlobState, MetadataDatabase } from './metadata-schema.ts'

export interface StoredBytes {
  readonly digest: Digest
  readonly size: number
}

const unlessDeleting = sql<BlobState>`case blobs.state when 'quarantined' then 'kept' else blobs.state end`

/**
 * Records bytes that have just been made durable, so that the blob is as good as new if it was quarantined. Resolves with its state:
 * `deleting` stays.
 */
export async function recordBytes(db: MetadataDatabase, { digest, size }: StoredBytes): Promise<BlobState> {
  const { state } = await db
    .insertInto('blobs')
    .values({ digest, size })
    .onConflict((known) => known.column('digest').doUpdateSet({ state: unlessDeleting }))
    .returning('state')
    .executeTakeFirstOrThrow()
  return state
}
