import type { Context } from '../context.ts'
import { requestId } from '../request-id.ts'
import type { ImageCall } from './call.ts'

/** One line for what has been changed, where and by whom. */
export function logChange(
  ctx: Context,
  { services, caller, repository, image }: ImageCall,
  event: string,
  what: object,
): void {
  const by = caller.by === 'password' ? caller.user.name : caller.by === 'token' ? caller.token.user : undefined
  services.log.info(
    { requestId: requestId(ctx), by: by ?? 'anonymous', repository: repository.key, image, ...what },
    event,
  )
}
