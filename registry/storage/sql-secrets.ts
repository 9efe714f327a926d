import type { MetadataDatabase } from './metadata-schema.ts'
import type { Secrets } from './access-store.ts'

export function sqlSecrets(db: MetadataDatabase): Secrets {
  const find = async (name: string): Promise<string | undefined> => {
    const row = await db.selectFrom('secrets').select('value').where('name', '=', name).executeTakeFirst()
    return row?.value
  }

  return {
    secret: async (name, make) => {
      const known = await find(name)
      if (known !== undefined) return known
      const value = await make()
      await db
        .insertInto('secrets')
        .values({ name, value })
        .onConflict((taken) => taken.doNothing())
        .execute()
      return (await find(name)) ?? value // another process may have been faster
    },
  }
}
