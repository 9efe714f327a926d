import type { AuditType } from '../../audit/audit-log.ts'
import type { Digest } from '../../domain/digest.ts'
import type { ImageName, Tag } from '../../domain/names.ts'
import { userOf, type Caller } from '../../identity/authenticate.ts'
import type { Repository } from '../../repositories/repository.ts'
import { clientAddress } from '../client-address.ts'
import type { Context } from '../context.ts'
import { requestId } from '../request-id.ts'
import type { Services } from '../services.ts'
import { changedBy } from './access.ts'

/** Where something is changed and by whom. */
export interface Change {
  readonly services: Services
  readonly caller: Caller
  readonly repository: Repository
  /** Undefined when it is about the repository. */
  readonly image?: ImageName
}

/** What nobody has to answer for by itself is undefined: a blob is nothing without the manifests that name it. */
const recordedAs = {
  'manifest pushed': 'pushed',
  'manifest deleted': 'deleted',
  'image deleted': 'deleted',
  'repository emptied': 'deleted',
  'blob pushed': undefined,
  'blob deleted': undefined,
} as const satisfies Record<string, AuditType | undefined>

export interface Changed {
  readonly digest?: Digest
  /** Those that were pushed. */
  readonly tags?: readonly Tag[]
  /** The one that was deleted. */
  readonly tag?: Tag
  /** How many. */
  readonly images?: number
}

/** One line for what has been changed, and an entry in the audit log. */
export function logChange(
  ctx: Context,
  { services, caller, repository, image }: Change,
  event: keyof typeof recordedAs,
  what: Changed,
): void {
  const by = userOf(caller)
  const changed = changedBy(repository).key
  const at = { requestId: requestId(ctx), repository: changed, image }
  const through = changed === repository.key ? undefined : repository.key
  services.log.info({ by: by ?? 'anonymous', ...at, through, ...what }, event)

  const type = recordedAs[event]
  if (type === undefined) return
  const tags = what.tag === undefined ? what.tags : [what.tag]
  const who = { by, with: meansOf(caller), address: clientAddress(ctx, services.peers) }
  services.audit.record({ type, ...who, ...at, tags, digest: what.digest })
}

/** How the caller has shown who it is. */
function meansOf(caller: Caller): string | undefined {
  switch (caller.by) {
    case 'nothing':
      return undefined
    case 'login':
      return caller.with
    case 'token':
      return 'docker token'
  }
}
