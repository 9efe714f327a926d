import pino from 'pino'
import type { PermissionTarget } from '../../registry/domain/permission-target.ts'
import { administerAccess } from '../../registry/identity/access-administration.ts'
import { openDirectory } from '../../registry/identity/directory.ts'
import type { UserSource } from '../../registry/identity/user-source.ts'
import type { GroupRecord } from '../../registry/storage/access-store.ts'
import type { MetadataStore } from '../../registry/storage/metadata-store.ts'
import type { DeclaredUser } from '../../registry/identity/declared-access.ts'

interface Declared {
  readonly users?: readonly DeclaredUser[]
  readonly groups?: readonly GroupRecord[]
  readonly targets?: readonly PermissionTarget[]
}

/** The registry's own parts around identity, on a store. */
export function identityOn(
  store: MetadataStore,
  { users = [], groups = [], targets = [] }: Declared = {},
  sources: readonly UserSource[] = [],
  nowMs: () => number = Date.now,
) {
  const administration = administerAccess(store, {
    users: new Map(users.map((user) => [user.record.name, user])),
    groups: new Map(groups.map((group) => [group.name, group])),
    targets: new Map(targets.map((target) => [target.name, target])),
  })
  const settings = { anonymousAccess: true, forceAuthentication: false, placeOf: () => ({ kind: 'local' }) as const }
  const log = pino({ enabled: false })
  return {
    administration,
    sources,
    directory: openDirectory({ administration, store, sources, oidcProviders: ['company'], settings, log, nowMs }),
  }
}
