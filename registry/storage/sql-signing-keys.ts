import type { SigningKeys } from './access-store.ts'
import type { MetadataDatabase } from './metadata-schema.ts'

export function sqlSigningKeys(db: MetadataDatabase): SigningKeys {
  return {
    listSigningKeys: async () => {
      const rows = await db.selectFrom('signing_keys').selectAll().execute()
      return rows
        .map(({ id, jwk, made_at }) => ({ id, jwk, madeAt: new Date(made_at) }))
        .sort((one, other) => other.madeAt.getTime() - one.madeAt.getTime())
    },

    addSigningKey: ({ id, jwk, madeAt }, unlessSince, dropBefore) =>
      db.transaction().execute(async (db) => {
        await db.deleteFrom('signing_keys').where('made_at', '<', dropBefore.toISOString()).execute()
        const newer = db.selectFrom('signing_keys').where('made_at', '>', unlessSince.toISOString()).select('id')
        if (await newer.executeTakeFirst()) return
        await db.insertInto('signing_keys').values({ id, jwk, made_at: madeAt.toISOString() }).execute()
      }),
  }
}
