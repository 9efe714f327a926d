import type { MetadataDatabase } from './metadata-schema.ts'
import type { UserRecord, Users } from './metadata-store.ts'
import { parameter, prepare } from './prepared-query.ts'

export function sqlUsers(db: MetadataDatabase): Users {
  const all = db.selectFrom('users').select(['name', 'password_hash', 'admin'])
  const find = prepare(all.where('name', '=', parameter<string>('name')))
  const list = prepare(all.orderBy('name'))

  return {
    findUser: async (name) => {
      const row = await find.first(db, { name })
      return row && userOf(row)
    },
    addUser: async ({ name, passwordHash, admin }) => {
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('users')
        .values({ name, password_hash: passwordHash, admin: admin ? 1 : 0 })
        .onConflict((taken) => taken.doNothing())
        .executeTakeFirstOrThrow()
      return numInsertedOrUpdatedRows === 1n
    },
    setPassword: async (name, passwordHash) => {
      const changed = db.updateTable('users').set({ password_hash: passwordHash }).where('name', '=', name)
      return (await changed.executeTakeFirstOrThrow()).numUpdatedRows === 1n
    },
    removeUser: (name) =>
      db.transaction().execute(async (db) => {
        const found = await db.selectFrom('users').select('admin').where('name', '=', name).executeTakeFirst()
        if (!found) return 'unknown'
        const admins = await db.selectFrom('users').select('name').where('admin', '=', 1).limit(2).execute()
        if (found.admin === 1 && admins.length === 1) return 'last admin'
        await db.deleteFrom('users').where('name', '=', name).execute()
        return 'removed'
      }),
    listUsers: async () => (await list.all(db, {})).map(userOf),
  }
}

function userOf(row: { readonly name: string; readonly password_hash: string; readonly admin: number }): UserRecord {
  return { name: row.name, passwordHash: row.password_hash, admin: row.admin === 1 }
}
