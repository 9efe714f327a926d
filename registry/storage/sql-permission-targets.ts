import type { Selectable } from 'kysely'
import type { Grants, PermissionTarget } from '../domain/permission-target.ts'
import type { Action } from '../domain/permissions.ts'
import type { PermissionTargets } from './access-store.ts'
import { listOf, listText } from './json-list.ts'
import type { MetadataDatabase, MetadataSchema } from './metadata-schema.ts'
import { countAccessChange } from './sql-access-version.ts'

type TargetRow = Selectable<MetadataSchema['permission_targets']>
type GrantRow = Selectable<MetadataSchema['permission_grants']>
type HolderKind = GrantRow['holder_kind']

export function sqlPermissionTargets(db: MetadataDatabase): PermissionTargets {
  const targets = db.selectFrom('permission_targets').selectAll()
  const grants = db.selectFrom('permission_grants').selectAll()

  return {
    findTarget: (name) =>
      db.transaction().execute(async (db) => {
        const row = await db.selectFrom('permission_targets').selectAll().where('name', '=', name).executeTakeFirst()
        return row && targetOf(row, await grantsOf(db, name))
      }),

    listTargets: () =>
      db.transaction().execute(async (db) => {
        const rows = await db.executeQuery(targets.orderBy('name').compile())
        const all = await db.executeQuery(grants.orderBy('target_name').compile())
        const byTarget = Map.groupBy(all.rows, ({ target_name }) => target_name)
        return rows.rows.map((row) => targetOf(row, byTarget.get(row.name) ?? []))
      }),

    putTarget: (target) =>
      db.transaction().execute(async (db) => {
        const isNew = !(await removeTarget(db, target.name))
        await insert(db, target)
        await countAccessChange(db)
        return isNew
      }),

    putGrants: (name, grants) =>
      db.transaction().execute(async (db) => {
        const row = await db.selectFrom('permission_targets').select('name').where('name', '=', name).executeTakeFirst()
        if (!row) return false
        await db.deleteFrom('permission_grants').where('target_name', '=', name).execute()
        await insertGrants(db, name, grants)
        await countAccessChange(db)
        return true
      }),

    removeTarget: (name) =>
      db.transaction().execute(async (db) => {
        if (!(await removeTarget(db, name))) return false
        await countAccessChange(db)
        return true
      }),
  }
}

/** Nobody who later gets the name has what the one before could do. */
export async function removeGrantsOf(db: MetadataDatabase, kind: HolderKind, name: string): Promise<void> {
  await db.deleteFrom('permission_grants').where('holder_kind', '=', kind).where('holder_name', '=', name).execute()
}

async function insert(db: MetadataDatabase, target: PermissionTarget): Promise<void> {
  const { name, repositories, includes, excludes } = target
  await db
    .insertInto('permission_targets')
    .values({
      name,
      repositories: listText(repositories),
      includes: listText(includes),
      excludes: listText(excludes),
    })
    .execute()
  await insertGrants(db, name, target)
}

async function insertGrants(
  db: MetadataDatabase,
  target: string,
  { users, groups }: Pick<PermissionTarget, 'users' | 'groups'>,
): Promise<void> {
  for (const grant of [...rowsOf(target, 'user', users), ...rowsOf(target, 'group', groups)])
    await db.insertInto('permission_grants').values(grant).execute()
}

async function removeTarget(db: MetadataDatabase, name: string): Promise<boolean> {
  const removed = await db.deleteFrom('permission_targets').where('name', '=', name).executeTakeFirstOrThrow()
  return removed.numDeletedRows === 1n
}

async function grantsOf(db: MetadataDatabase, target: string): Promise<readonly GrantRow[]> {
  return db.selectFrom('permission_grants').selectAll().where('target_name', '=', target).execute()
}

function rowsOf(target_name: string, holder_kind: HolderKind, grants: Grants): readonly GrantRow[] {
  return Object.entries(grants).map(([holder_name, actions]) => ({
    target_name,
    holder_kind,
    holder_name,
    actions: listText(actions),
  }))
}

function targetOf(row: TargetRow, grants: readonly GrantRow[]): PermissionTarget {
  const held = (kind: HolderKind): Grants =>
    Object.fromEntries(
      grants
        .filter(({ holder_kind }) => holder_kind === kind)
        .map(({ holder_name, actions }) => [holder_name, listOf(actions) as readonly Action[]]),
    )
  return {
    name: row.name,
    repositories: listOf(row.repositories),
    includes: listOf(row.includes),
    excludes: listOf(row.excludes),
    users: held('user'),
    groups: held('group'),
  }
}
