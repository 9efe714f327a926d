import { sql } from 'kysely'
import type { AccessStore } from './access-store.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import { prepare } from './prepared-query.ts'

export function sqlAccessVersion(db: MetadataDatabase): Pick<AccessStore, 'accessVersion'> {
  const find = prepare(db.selectFrom('access_version').where('only_row', '=', 1).select('version'))
  return { accessVersion: async () => (await find.first(db, {}))?.version ?? 0 }
}

/** Part of every transaction that changes who may do what. */
export async function countAccessChange(db: MetadataDatabase): Promise<void> {
  await db
    .updateTable('access_version')
    .set({ version: sql`version + 1` })
    .where('only_row', '=', 1)
    .execute()
}
