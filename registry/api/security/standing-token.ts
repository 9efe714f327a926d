import type { Context } from '../../http/context.ts'
import type { Services } from '../../http/services.ts'
import { tokenIdOf, type StandingKind } from '../../identity/access-tokens.ts'
import type { Login } from '../../identity/authenticate.ts'
import { unknown } from './answer.ts'
import { recordToken } from './record-change.ts'

/** The name of whoever asks. Throws NAME_UNKNOWN for who has an admin's rights by a token and is no user here. */
export async function ownerOfKey({ administration }: Services, { principal }: Login): Promise<string> {
  if (await administration.findUser(principal.name)) return principal.name
  throw unknown(`user ${principal.name}`)
}

/** The one there is; or makes one, and records it. */
export async function ensureStanding(ctx: Context, services: Services, login: Login, kind: StandingKind) {
  const user = await ownerOfKey(services, login)
  const { token, isNew } = await services.accessTokens.ensureStanding(user, kind)
  if (isNew) recordToken(ctx, services, login, { type: 'token.made', id: tokenIdOf(token), kind, user })
  return { user, token, isNew }
}

/** Makes another in place of the one that there was, and records both. */
export async function renewStanding(
  ctx: Context,
  services: Services,
  login: Login,
  kind: StandingKind,
): Promise<string> {
  const user = await ownerOfKey(services, login)
  const former = (await services.accessTokens.list(user)).find((token) => token.kind === kind)
  const token = await services.accessTokens.renewStanding(user, kind)
  if (former) recordToken(ctx, services, login, { type: 'token.revoked', ...former })
  recordToken(ctx, services, login, { type: 'token.made', id: tokenIdOf(token), kind, user })
  return token
}
