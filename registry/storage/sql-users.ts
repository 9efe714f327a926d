import type { Selectable } from 'kysely'
import type { Outcome, RealmUser, UserChange, UserRecord, Users } from './access-store.ts'
import type { MetadataDatabase, MetadataSchema } from './metadata-schema.ts'
import { listOf, listText } from './json-list.ts'
import { parameter, prepare } from './prepared-query.ts'
import { unlessFull } from './unless-full.ts'
import { countAccessChange } from './sql-access-version.ts'
import { addMembership, autoJoinGroups, removeMemberships, replaceMemberships } from './sql-groups.ts'
import { removeGrantsOf } from './sql-permission-targets.ts'

export function sqlUsers(db: MetadataDatabase): Users {
  const all = db.selectFrom('users').selectAll()
  const find = prepare(all.where('name', '=', parameter<string>('name')))
  const list = prepare(all.orderBy('name'))

  return {
    findUser: async (name) => {
      const row = await find.first(db, { name })
      return row && userOf(row)
    },
    listUsers: async () => (await list.all(db, {})).map(userOf),

    addUser: (user, groups = []) =>
      db.transaction().execute(async (db) => {
        if (await find.first(db, { name: user.name })) return false
        await insert(db, user, groups)
        return true
      }),

    changeUser: (name, change) =>
      db.transaction().execute(async (db) => {
        const outcome = await outcomeOf(db, name, change.admin === false || losesPassword(change))
        if (outcome !== 'done') return outcome
        await update(db, name, change)
        return 'done'
      }),

    removeUser: (name) =>
      db.transaction().execute(async (db) => {
        const outcome = await outcomeOf(db, name, true)
        if (outcome !== 'done') return outcome
        await db.deleteFrom('users').where('name', '=', name).execute()
        await db.deleteFrom('access_tokens').where('user_name', '=', name).execute()
        await removeMemberships(db, name)
        await removeGrantsOf(db, 'user', name)
        await countAccessChange(db)
        return 'done'
      }),

    keepRealmUser: (user, groups = []) =>
      db.transaction().execute(async (db) => {
        const known = await find.first(db, { name: user.name })
        if (!known) {
          const rest = { kind: 'user', passwordHash: undefined, lastLogin: undefined } as const
          await insert(db, { ...rest, ...user }, groups)
          return true
        }
        if (known.realm !== user.realm) return false
        await takeOver(db, userOf(known), user)
        return true
      }),

    recordLogin: async (name, at) => {
      const loggedIn = db.updateTable('users').set({ last_login: at.toISOString() }).where('name', '=', name)
      await unlessFull(() => loggedIn.execute())
    },
  }
}

async function insert(db: MetadataDatabase, user: UserRecord, groups: readonly string[]): Promise<void> {
  // Whatever somebody of that name had before, or an admin made for it, is not this one's.
  await db.deleteFrom('access_tokens').where('user_name', '=', user.name).execute()
  await db.insertInto('users').values(rowOf(user)).execute()
  const joined = new Set([...(await autoJoinGroups(db)), ...groups])
  for (const group of joined) await addMembership(db, group, user.name)
  await countAccessChange(db)
}

async function update(db: MetadataDatabase, name: string, change: UserChange): Promise<void> {
  const { kind, admin, groups } = change
  const set = {
    ...(kind !== undefined && { kind }),
    ...('passwordHash' in change && { password_hash: change.passwordHash ?? null }),
    ...(admin !== undefined && { admin: flag(admin) }),
    ...('email' in change && { email: change.email ?? null }),
  }
  if (Object.keys(set).length > 0) await db.updateTable('users').set(set).where('name', '=', name).execute()
  if (groups) await replaceMemberships(db, name, groups)
  if ('passwordHash' in change)
    await db
      .deleteFrom('access_tokens')
      .where('user_name', '=', name)
      .where('kind', 'in', ['refresh', 'encrypted password'])
      .execute()
  await countAccessChange(db)
}

function losesPassword(change: UserChange): boolean {
  return 'passwordHash' in change && change.passwordHash === undefined
}

/** What has not changed is not written: it is asked at every login. */
async function takeOver(db: MetadataDatabase, known: UserRecord, user: RealmUser): Promise<void> {
  const same =
    known.admin === user.admin &&
    known.email === user.email &&
    listText(known.realmGroups) === listText(user.realmGroups)
  if (same) return
  const { admin, email, realm_groups } = rowOf({ ...known, ...user })
  await db.updateTable('users').set({ admin, email, realm_groups }).where('name', '=', user.name).execute()
  await countAccessChange(db)
}

/** Whether something can be done to the user; `loses`: that it is an admin, if it was one. */
async function outcomeOf(db: MetadataDatabase, name: string, loses: boolean): Promise<Outcome> {
  const found = await db.selectFrom('users').select('admin').where('name', '=', name).executeTakeFirst()
  if (!found) return 'unknown'
  if (!loses || found.admin === 0) return 'done'
  const admins = await db.selectFrom('users').select('name').where('admin', '=', 1).limit(2).execute()
  return admins.length === 1 ? 'last admin' : 'done'
}

function rowOf(user: UserRecord): Selectable<MetadataSchema['users']> {
  return {
    name: user.name,
    kind: user.kind,
    realm: user.realm,
    password_hash: user.passwordHash ?? null,
    admin: flag(user.admin),
    email: user.email ?? null,
    realm_groups: listText(user.realmGroups),
    last_login: user.lastLogin?.toISOString() ?? null,
  }
}

function userOf(row: Selectable<MetadataSchema['users']>): UserRecord {
  return {
    name: row.name,
    kind: row.kind,
    realm: row.realm,
    passwordHash: row.password_hash ?? undefined,
    admin: row.admin === 1,
    email: row.email ?? undefined,
    realmGroups: listOf(row.realm_groups),
    lastLogin: row.last_login === null ? undefined : new Date(row.last_login),
  }
}

function flag(yes: boolean): 0 | 1 {
  return yes ? 1 : 0
}
