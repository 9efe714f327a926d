import { isDeepStrictEqual } from 'node:util'
import type { Logger } from 'pino'
import type { PermissionTarget } from '../domain/permission-target.ts'
import { anonymousName } from '../domain/permissions.ts'
import type { Secrets } from '../storage/access-store.ts'
import type { AccessAdministration } from './access-administration.ts'

const group = 'users'

/** What people expect of a registry that they have just started: everybody reads, users push. */
const anything: PermissionTarget = {
  name: 'Anything',
  repositories: ['ANY'],
  includes: ['**'],
  excludes: [],
  users: { [anonymousName]: ['read'] },
  groups: { [group]: ['read', 'annotate', 'deploy', 'delete'] },
}

/**
 * Makes it once, on the first start, unless the configuration file says who may do what; changed and removed like any other. When the
 * file comes to say that later, it goes if nobody has changed it: else the file would restrict nothing.
 */
export async function ensureDefaultPermissions(
  administration: AccessAdministration,
  store: Secrets,
  log: Pick<Logger, 'warn'>,
): Promise<void> {
  const inFile = administration.declared.targets.size > 0
  await store.secret('default-permissions', async () => {
    if (inFile) return 'in the configuration file'
    await letUsersPush(administration)
    return 'made'
  })
  const isInFile = administration.declared.targets.has(anything.name)
  if (inFile && !isInFile && isDeepStrictEqual(await administration.findTarget(anything.name), anything)) {
    await administration.removeTarget(anything.name)
    log.warn(
      `the permission target ${anything.name} of the first start is removed: registry.permissions says who may do what`,
    )
  }
}

async function letUsersPush(administration: AccessAdministration): Promise<void> {
  if (!administration.declared.groups.has(group))
    await administration.putGroup({
      name: group,
      description: 'Every user, unless taken out.',
      autoJoin: true,
      admins: false,
    })
  await administration.putTarget(anything)
}
