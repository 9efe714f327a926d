import { RegistryError } from '../../domain/errors.ts'
import type { Context } from '../../http/context.ts'
import type { Services } from '../../http/services.ts'
import type { Login } from '../../identity/authenticate.ts'
import { requireAdmin, requireInPerson } from '../require.ts'
import { unknown } from './answer.ts'
import { recordToken } from './record-change.ts'
import { ensureStanding, ownerOfKey, renewStanding } from './standing-token.ts'

/** Artifactory's "Create API Key", of whoever asks. */
export async function createApiKey(ctx: Context, services: Services): Promise<void> {
  const login = await requireInPerson(ctx, services)
  const { user, token, isNew } = await ensureStanding(ctx, services, login, 'api key')
  if (!isNew)
    throw new RegistryError('CONFLICT', { message: `${user} has an API key already: PUT makes another in its place` })
  answerKey(ctx, token)
  ctx.status = 201
}

/** "Get API Key": an empty object when there is none. */
export async function getApiKey(ctx: Context, services: Services): Promise<void> {
  const login = await requireInPerson(ctx, services)
  answerKey(ctx, await services.accessTokens.standing(await ownerOfKey(services, login), 'api key'))
}

/** "Regenerate API Key": the one before is good no more. */
export async function renewApiKey(ctx: Context, services: Services): Promise<void> {
  const login = await requireInPerson(ctx, services)
  answerKey(ctx, await renewStanding(ctx, services, login, 'api key'))
}

/** "Revoke API Key". A script whose variable is empty meant another one's. */
export async function revokeApiKey(ctx: Context, services: Services): Promise<void> {
  if (ctx.path.endsWith('/'))
    throw new RegistryError('BAD_REQUEST', { message: 'the path ends with a slash: expected apiKey/<user>, or apiKey' })
  const login = await requireInPerson(ctx, services)
  await revokeKeyOf(ctx, services, login, login.principal.name)
}

/** "Revoke User API Key", by an admin. */
export async function revokeApiKeyOf(ctx: Context, services: Services, user: string): Promise<void> {
  await revokeKeyOf(ctx, services, await requireAdmin(ctx, services), user)
}

async function revokeKeyOf(ctx: Context, services: Services, login: Login, user: string): Promise<void> {
  const key = (await services.accessTokens.list(user)).find(({ kind }) => kind === 'api key')
  if (!key || !(await services.accessTokens.revoke(key.id))) throw unknown(`API key of ${user}`)
  recordToken(ctx, services, login, { type: 'token.revoked', ...key })
  ctx.status = 200
  ctx.body = { info: `API key for user: ${user} has been successfully revoked` }
}

function answerKey(ctx: Context, apiKey: string | undefined): void {
  ctx.set('Cache-Control', 'no-store')
  ctx.status = 200
  ctx.body = { apiKey }
}
