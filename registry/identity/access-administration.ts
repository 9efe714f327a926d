import { RegistryError } from '../domain/errors.ts'
import { suggestion } from '../domain/nearest.ts'
import type { Groups, PermissionTargets, UserChange, UserRecord, Users } from '../storage/access-store.ts'
import type { DeclaredAccess } from './declared-access.ts'

/**
 * Users, groups and permission targets, wherever they are said. Every change throws DENIED for what the file names, and BAD_REQUEST for
 * what would not be what it says: a user in a group that there is not, a robot with a password.
 */
export interface AccessAdministration extends Users, Groups, PermissionTargets {
  /** What the configuration file says, which nothing here changes. */
  readonly declared: DeclaredAccess
}

/** What the file names comes first: it hides what the store has under the same name. */
export function administerAccess(
  store: Users & Groups & PermissionTargets,
  declared: DeclaredAccess,
): AccessAdministration {
  const changeable = (kind: keyof DeclaredAccess, name: string): void => {
    if (declared[kind].has(name)) throw inFile(kind, name)
  }
  const listGroups = async () => merged([...declared.groups.values()], await store.listGroups())
  const checkGroups = async (named: readonly string[]): Promise<void> => {
    if (named.length === 0) return
    const known = (await listGroups()).map(({ name }) => name)
    const unknown = named.find((name) => !known.includes(name))
    if (unknown === undefined) return
    throw badRequest(`there is no group ${unknown}${suggestion(unknown, known)}`)
  }
  /** The store knows only those that it keeps itself. */
  const declaredToJoin = [...declared.groups.values()].filter(({ autoJoin }) => autoJoin).map(({ name }) => name)

  return {
    declared,

    findUser: async (name) => declared.users.get(name)?.record ?? (await store.findUser(name)),
    listUsers: async () =>
      merged(
        [...declared.users.values()].map(({ record }) => record),
        await store.listUsers(),
      ),
    addUser: async (user, groups = []) => {
      if (declared.users.has(user.name)) return false
      await checkGroups(groups)
      return store.addUser(user, [...declaredToJoin, ...groups])
    },
    changeUser: async (name, change) => {
      changeable('users', name)
      const user = await store.findUser(name)
      if (user) checkChange(user, change)
      if (change.groups) await checkGroups(change.groups)
      return store.changeUser(name, change)
    },
    removeUser: async (name) => {
      changeable('users', name)
      return store.removeUser(name)
    },
    keepRealmUser: async (user, groups = []) =>
      !declared.users.has(user.name) && store.keepRealmUser(user, [...declaredToJoin, ...groups]),
    recordLogin: async (name, at) => store.recordLogin(name, at),

    findGroup: async (name) => declared.groups.get(name) ?? (await store.findGroup(name)),
    listGroups,
    putGroup: async (group, members) => {
      changeable('groups', group.name)
      if (group.autoJoin && group.admins)
        throw badRequest(
          `every new user would be an admin: ${group.name} may be a group that new users join, or one of admins`,
        )
      return store.putGroup(group, members && undeclared(members, group.name, declared, await joined(store, declared)))
    },
    removeGroup: async (name) => {
      changeable('groups', name)
      return store.removeGroup(name)
    },
    membersOf: async (group) => {
      const said: string[] = []
      for (const [user, { groups }] of declared.users)
        if ((groups ?? (await joined(store, declared))).includes(group)) said.push(user)
      const kept = (await store.membersOf(group)).filter((user) => !declared.users.has(user))
      return [...said, ...kept].sort()
    },
    groupsOf: async (user) => {
      const known = declared.users.get(user)
      // What the store has of a user of that name is hidden, memberships too.
      return known ? (known.groups ?? (await joined(store, declared))).toSorted() : store.groupsOf(user)
    },
    setGroupsOf: async (user, groups) => {
      changeable('users', user)
      await checkGroups(groups)
      return store.setGroupsOf(user, groups)
    },
    addMember: async (group, user) => {
      changeable('users', user)
      await checkGroups([group])
      return store.addMember(group, user)
    },
    removeMember: async (group, user) => {
      changeable('users', user)
      return store.removeMember(group, user)
    },

    findTarget: async (name) => declared.targets.get(name) ?? (await store.findTarget(name)),
    listTargets: async () => merged([...declared.targets.values()], await store.listTargets()),
    putTarget: async (target) => {
      changeable('targets', target.name)
      return store.putTarget(target)
    },
    putGrants: async (name, grants) => {
      changeable('targets', name)
      return store.putGrants(name, grants)
    },
    removeTarget: async (name) => {
      changeable('targets', name)
      return store.removeTarget(name)
    },
  }
}

/** Throws BAD_REQUEST. */
function checkChange({ name, kind, realm }: UserRecord, change: UserChange): void {
  if (realm !== 'internal' && Object.keys(change).some((field) => field !== 'groups'))
    throw badRequest(`${name} comes from ${realm}, which alone says its password, its email and whether it is an admin`)
  if ((change.kind ?? kind) === 'robot' && change.passwordHash !== undefined)
    throw badRequest(`${name} is a robot: it has tokens and no password`)
}

/** Throws DENIED for users of the file, unless it makes them members anyway: these are left out. */
function undeclared(members: readonly string[], group: string, { users }: DeclaredAccess, toJoin: readonly string[]) {
  for (const member of members) {
    const user = users.get(member)
    if (user && !(user.groups ?? toJoin).includes(group)) throw inFile('users', member)
  }
  return members.filter((member) => !users.has(member))
}

/** The groups that new users join. */
async function joined(store: Groups, declared: DeclaredAccess): Promise<readonly string[]> {
  const groups = merged([...declared.groups.values()], await store.listGroups())
  return groups.filter(({ autoJoin }) => autoJoin).map(({ name }) => name)
}

function merged<named extends { readonly name: string }>(
  first: readonly named[],
  second: readonly named[],
): readonly named[] {
  const byName = new Map([...second, ...first].map((each) => [each.name, each]))
  return [...byName.values()].sort((one, other) => (one.name < other.name ? -1 : 1))
}

const words: Readonly<Record<keyof DeclaredAccess, readonly [string, string]>> = {
  users: ['user', 'registry.users'],
  groups: ['group', 'registry.groups'],
  targets: ['permission target', 'registry.permissions'],
}

function badRequest(message: string): RegistryError {
  return new RegistryError('BAD_REQUEST', { message })
}

function inFile(kind: keyof DeclaredAccess, name: string): RegistryError {
  const [word, section] = words[kind]
  return new RegistryError('DENIED', {
    message: `the ${word} ${name} is named in the configuration file: change it there, below ${section}`,
    detail: { [word]: name },
  })
}
