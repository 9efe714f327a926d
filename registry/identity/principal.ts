import type { UserPrincipal } from '../domain/permissions.ts'
import type { UserRecord } from '../storage/access-store.ts'
import type { AccessAdministration } from './access-administration.ts'

/** The user with the groups that it is in, here and by its realm. */
export async function principalFor(
  administration: AccessAdministration,
  { name, admin, realmGroups }: UserRecord,
): Promise<UserPrincipal> {
  const groups = [...new Set([...(await administration.groupsOf(name)), ...realmGroups])]
  const admins = await Promise.all(
    groups.map(async (group) => (await administration.findGroup(group))?.admins ?? false),
  )
  return { kind: 'user', name, admin: admin || admins.includes(true), groups }
}
