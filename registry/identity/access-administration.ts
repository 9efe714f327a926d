import { RegistryError } from '../domain/errors.ts'
import type { Groups, PermissionTargets, Users } from '../storage/access-store.ts'
import type { DeclaredAccess } from './declared-access.ts'

/** Users, groups and permission targets, wherever they are said. Every change throws DENIED for what the file names. */
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
  return {
    declared,

    findUser: async (name) => declared.users.get(name)?.record ?? (await store.findUser(name)),
    listUsers: async () =>
      merged(
        [...declared.users.values()].map(({ record }) => record),
        await store.listUsers(),
      ),
    addUser: async (user, groups) => {
      if (declared.users.has(user.name)) return false
      return store.addUser(user, groups)
    },
    changeUser: async (name, change) => {
      changeable('users', name)
      return store.changeUser(name, change)
    },
    removeUser: async (name) => {
      changeable('users', name)
      return store.removeUser(name)
    },
    keepRealmUser: async (user) => !declared.users.has(user.name) && store.keepRealmUser(user),
    recordLogin: async (name, at) => store.recordLogin(name, at),

    findGroup: async (name) => declared.groups.get(name) ?? (await store.findGroup(name)),
    listGroups: async () => merged([...declared.groups.values()], await store.listGroups()),
    putGroup: async (group, members) => {
      changeable('groups', group.name)
      return store.putGroup(group, members)
    },
    removeGroup: async (name) => {
      changeable('groups', name)
      return store.removeGroup(name)
    },
    membersOf: async (group) => {
      const said: string[] = []
      for (const [user, { groups }] of declared.users)
        if ((groups ?? (await joined(store, declared))).includes(group)) said.push(user)
      return [...new Set([...said, ...(await store.membersOf(group))])].sort()
    },
    groupsOf: async (user) => {
      const known = declared.users.get(user)
      const said = known ? (known.groups ?? (await joined(store, declared))) : []
      return [...new Set([...said, ...(await store.groupsOf(user))])].sort()
    },
    setGroupsOf: async (user, groups) => {
      changeable('users', user)
      return store.setGroupsOf(user, groups)
    },

    findTarget: async (name) => declared.targets.get(name) ?? (await store.findTarget(name)),
    listTargets: async () => merged([...declared.targets.values()], await store.listTargets()),
    putTarget: async (target) => {
      changeable('targets', target.name)
      return store.putTarget(target)
    },
    removeTarget: async (name) => {
      changeable('targets', name)
      return store.removeTarget(name)
    },
  }
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

function inFile(kind: keyof DeclaredAccess, name: string): RegistryError {
  const [word, section] = words[kind]
  return new RegistryError('DENIED', {
    message: `the ${word} ${name} is named in the configuration file: change it there, below ${section}`,
    detail: { [word]: name },
  })
}
