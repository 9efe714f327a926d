import type { ImageName } from '../../domain/names.ts'
import { userOf, type Caller } from '../../identity/authenticate.ts'
import type { Repository } from '../../repositories/repository.ts'
import type { Context } from '../context.ts'
import { requestId } from '../request-id.ts'
import type { Services } from '../services.ts'

/** Where something is changed and by whom. */
export interface Change {
  readonly services: Services
  readonly caller: Caller
  readonly repository: Repository
  /** Undefined when it is about the repository. */
  readonly image?: ImageName
}

/** One line for what has been changed. */
export function logChange(
  ctx: Context,
  { services, caller, repository, image }: Change,
  event: string,
  what: object,
): void {
  const by = userOf(caller) ?? 'anonymous'
  services.log.info({ requestId: requestId(ctx), by, repository: repository.key, image, ...what }, event)
}
