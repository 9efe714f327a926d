import type { Context } from '../../http/context.ts'
import type { Services } from '../../http/services.ts'
import type { Login } from '../../identity/authenticate.ts'
import type { TokenRecord } from '../../storage/access-store.ts'
import { isAdmin } from '../require.ts'
import { unknown } from './answer.ts'
import { recordToken } from './record-change.ts'

/** A token that the one who asks may see: its own, or anybody's by an admin. Throws NAME_UNKNOWN, also for those of others. */
export async function findVisible({ accessTokens }: Services, login: Login, id: string): Promise<TokenRecord> {
  const token = await accessTokens.find(id)
  if (token && (isAdmin(login) || token.user === login.principal.name)) return token
  throw unknown('such token')
}

/** Throws NAME_UNKNOWN. */
export async function revokeToken(ctx: Context, services: Services, login: Login, id: string): Promise<void> {
  const token = await findVisible(services, login, id)
  if (!(await services.accessTokens.revoke(token.id))) throw unknown('such token')
  recordToken(ctx, services, login, { type: 'token.revoked', ...token })
}

/** By its text, which is enough: whoever found it in a wrong place ends it. Throws NAME_UNKNOWN when it is not good any more. */
export async function revokeShown(ctx: Context, services: Services, login: Login, text: string): Promise<void> {
  const shown = await services.accessTokens.check(text)
  if (!shown || !(await services.accessTokens.revoke(shown.record.id))) throw unknown('such token')
  recordToken(ctx, services, login, { type: 'token.revoked', ...shown.record })
}
