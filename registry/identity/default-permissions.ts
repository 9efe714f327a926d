import { anonymousName } from '../domain/permissions.ts'
import type { Secrets } from '../storage/access-store.ts'
import type { AccessAdministration } from './access-administration.ts'

/**
 * What people expect of a registry that they have just started: everybody reads, users push. Made once, on the first start, unless the
 * configuration file says who may do what; changed and removed like any other.
 */
export async function ensureDefaultPermissions(administration: AccessAdministration, store: Secrets): Promise<void> {
  await store.secret('default-permissions', async () => {
    if (administration.declared.targets.size > 0) return 'in the configuration file'
    await letUsersPush(administration)
    return 'made'
  })
}

async function letUsersPush(administration: AccessAdministration): Promise<void> {
  const group = 'users'
  if (!administration.declared.groups.has(group))
    await administration.putGroup({
      name: group,
      description: 'Every user, unless taken out.',
      autoJoin: true,
      admins: false,
    })
  await administration.putTarget({
    name: 'Anything',
    repositories: ['ANY'],
    includes: ['**'],
    excludes: [],
    users: { [anonymousName]: ['read'] },
    groups: { [group]: ['read', 'annotate', 'deploy', 'delete'] },
  })
}
