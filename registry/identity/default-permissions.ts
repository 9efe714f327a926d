import { isDeepStrictEqual } from 'node:util'
import type { Logger } from 'pino'
import type { PermissionTarget } from '../domain/permission-target.ts'
import { anonymousName } from '../domain/permissions.ts'
import type { Secrets } from '../storage/access-store.ts'
import type { AccessAdministration } from './access-administration.ts'

const group = 'users'

/** What people expect of a registry that they have just started: everybody reads, users push, and what is pulled through a cache is cached. */
const anything: PermissionTarget = {
  name: 'Anything',
  repositories: ['ANY'],
  includes: ['**'],
  excludes: [],
  users: { [anonymousName]: ['read'] },
  groups: { [group]: ['read', 'annotate', 'deploy', 'delete'] },
}
const anyRemote: PermissionTarget = {
  name: 'Any Remote',
  repositories: ['ANY REMOTE'],
  includes: ['**'],
  excludes: [],
  users: { [anonymousName]: ['read', 'deploy'] },
  groups: {},
}

/**
 * Makes them once, on the first start, unless the configuration file says who may do what; changed and removed like any other. When the
 * file comes to say that later, they go if nobody has changed them: else the file would restrict nothing.
 */
export async function ensureDefaultPermissions(
  administration: AccessAdministration,
  store: Secrets,
  log: Pick<Logger, 'warn'>,
): Promise<void> {
  const inFile = administration.declared.targets.size > 0
  const once = (secret: string, make: () => Promise<unknown>) =>
    store.secret(secret, async () => {
      if (inFile) return 'in the configuration file'
      await make()
      return 'made'
    })
  await once('default-permissions', () => letUsersPush(administration))
  // Registries of before have it not yet. Where somebody has restricted what the first start allowed, nothing more is.
  await once('default-remote-permissions', async () => {
    if (isDeepStrictEqual(await administration.findTarget(anything.name), anything))
      await administration.putTarget(anyRemote)
  })
  if (!inFile) return
  for (const target of [anything, anyRemote]) {
    if (administration.declared.targets.has(target.name)) continue
    if (!isDeepStrictEqual(await administration.findTarget(target.name), target)) continue
    await administration.removeTarget(target.name)
    log.warn(
      `the permission target ${target.name} of the first start is removed: registry.permissions says who may do what`,
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
