import type { Selectable } from 'kysely'
import type { GroupRecord, Groups } from './access-store.ts'
import type { MetadataDatabase, MetadataSchema } from './metadata-schema.ts'
import { parameter, prepare } from './prepared-query.ts'
import { countAccessChange } from './sql-access-version.ts'
import { removeGrantsOf } from './sql-permission-targets.ts'

export function sqlGroups(db: MetadataDatabase): Groups {
  const all = db.selectFrom('groups').selectAll()
  const find = prepare(all.where('name', '=', parameter<string>('name')))
  const list = prepare(all.orderBy('name'))
  const memberships = db.selectFrom('group_members')
  const members = prepare(
    memberships.where('group_name', '=', parameter<string>('group')).orderBy('user_name').select('user_name'),
  )
  const groups = prepare(
    memberships.where('user_name', '=', parameter<string>('user')).orderBy('group_name').select('group_name'),
  )

  return {
    findGroup: async (name) => {
      const row = await find.first(db, { name })
      return row && groupOf(row)
    },
    listGroups: async () => (await list.all(db, {})).map(groupOf),
    membersOf: async (group) => (await members.all(db, { group })).map(({ user_name }) => user_name),
    groupsOf: async (user) => (await groups.all(db, { user })).map(({ group_name }) => group_name),

    putGroup: (group, named) =>
      db.transaction().execute(async (db) => {
        const known = await find.first(db, { name: group.name })
        const { name, ...rest } = rowOf(group)
        await db
          .insertInto('groups')
          .values({ name, ...rest })
          .onConflict((taken) => taken.column('name').doUpdateSet(rest))
          .execute()
        if (named) {
          await db.deleteFrom('group_members').where('group_name', '=', name).execute()
          for (const user of named) await addMembership(db, name, user)
        }
        await countAccessChange(db)
        return known === undefined
      }),

    removeGroup: (name) =>
      db.transaction().execute(async (db) => {
        const removed = await db.deleteFrom('groups').where('name', '=', name).executeTakeFirstOrThrow()
        if (removed.numDeletedRows === 0n) return false
        await db.deleteFrom('group_members').where('group_name', '=', name).execute()
        await removeGrantsOf(db, 'group', name)
        await countAccessChange(db)
        return true
      }),

    setGroupsOf: (user, named) =>
      db.transaction().execute(async (db) => {
        await replaceMemberships(db, user, named)
        await countAccessChange(db)
      }),

    addMember: (group, user) =>
      db.transaction().execute(async (db) => {
        const added = await addMembership(db, group, user)
        if (added) await countAccessChange(db)
        return added
      }),

    removeMember: (group, user) =>
      db.transaction().execute(async (db) => {
        const membership = db.deleteFrom('group_members').where('group_name', '=', group).where('user_name', '=', user)
        const removed = (await membership.executeTakeFirstOrThrow()).numDeletedRows > 0n
        if (removed) await countAccessChange(db)
        return removed
      }),
  }
}

/** Those that a new user becomes a member of. */
export async function autoJoinGroups(db: MetadataDatabase): Promise<readonly string[]> {
  const rows = await db.selectFrom('groups').where('auto_join', '=', 1).select('name').execute()
  return rows.map(({ name }) => name)
}

/** False when it is one already. */
export async function addMembership(db: MetadataDatabase, group_name: string, user_name: string): Promise<boolean> {
  const added = await db
    .insertInto('group_members')
    .values({ group_name, user_name })
    .onConflict((already) => already.doNothing())
    .executeTakeFirstOrThrow()
  return (added.numInsertedOrUpdatedRows ?? 0n) > 0n
}

export async function removeMemberships(db: MetadataDatabase, user: string): Promise<void> {
  await db.deleteFrom('group_members').where('user_name', '=', user).execute()
}

export async function replaceMemberships(db: MetadataDatabase, user: string, groups: readonly string[]): Promise<void> {
  await removeMemberships(db, user)
  for (const group of groups) await addMembership(db, group, user)
}

function rowOf({ name, description, autoJoin, admins }: GroupRecord): Selectable<MetadataSchema['groups']> {
  return { name, description, auto_join: autoJoin ? 1 : 0, admins: admins ? 1 : 0 }
}

function groupOf(row: Selectable<MetadataSchema['groups']>): GroupRecord {
  return { name: row.name, description: row.description, autoJoin: row.auto_join === 1, admins: row.admins === 1 }
}
