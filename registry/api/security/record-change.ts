import type { Context } from '../../http/context.ts'
import { originOf } from '../../http/origin.ts'
import type { Services } from '../../http/services.ts'
import type { Login } from '../../identity/authenticate.ts'
import type { TokenKind } from '../../storage/access-store.ts'

export interface AccessChange {
  /** `user alice`, `group devs`, `permission Anything`. */
  readonly subject: string
  readonly action: 'created' | 'changed' | 'deleted'
  /** Names of what was changed of it, for people. */
  readonly fields?: readonly string[]
}

/** Records that who may do what has changed. */
export function recordChange(ctx: Context, services: Services, login: Login, change: AccessChange): void {
  const { subject, action, fields = [] } = change
  const reason = fields.length === 0 ? undefined : fields.join(', ')
  services.audit.record({ type: 'access.changed', ...whoAsks(ctx, services, login), subject, action, reason })
}

export interface TokenChange {
  readonly type: 'token.made' | 'token.revoked'
  readonly id: string | undefined
  readonly kind: TokenKind
  /** Whom it stands for. */
  readonly user: string
}

/** Records that there is one token more, or less. */
export function recordToken(ctx: Context, services: Services, login: Login, change: TokenChange): void {
  const { type, id, kind, user } = change
  const reason = user === login.principal.name ? undefined : `for ${user}`
  services.audit.record({ type, ...whoAsks(ctx, services, login), subject: id, action: kind, reason })
}

function whoAsks(ctx: Context, services: Services, login: Login) {
  return { by: login.principal.name, with: login.with, ...originOf(ctx, services) }
}
