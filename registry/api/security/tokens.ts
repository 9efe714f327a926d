import { z } from 'zod'
import type { Context } from '../../http/context.ts'
import type { Services } from '../../http/services.ts'
import { usualLifeSeconds } from '../../identity/token-wish.ts'
import type { TokenRecord } from '../../storage/access-store.ts'
import { readFields } from '../read-fields.ts'
import { isAdmin, requireInPerson } from '../require.ts'
import { answerText } from './answer.ts'
import { ignoredFields, makeToken, seconds, truth } from './make-token.ts'
import { findVisible, revokeToken } from './revoke-token.ts'

const wishForm = z.strictObject({
  grant_type: z
    .literal('client_credentials', 'expected client_credentials: tokens are not renewed here, but made anew')
    .optional(),
  username: z.string().min(1).optional(),
  scope: z.string().max(4096).optional(),
  expires_in: seconds.default(usualLifeSeconds),
  description: z.string().max(1024).default(''),
  include_reference_token: truth.default(false),
  project_key: z.literal('', 'expected nothing: there are no projects here').optional(),
  token_type: z.literal('access_token').optional(),
  ...ignoredFields,
})

/** Artifactory's "Create Token". Ours say nothing by themselves, so that one of them is its own reference. */
export async function createToken(ctx: Context, services: Services): Promise<void> {
  const login = await requireInPerson(ctx, services)
  const { expires_in, include_reference_token, ...wish } = await readFields(ctx, wishForm)
  const { token, record } = await makeToken(ctx, services, login, { ...wish, lifeSeconds: expires_in })
  ctx.status = 200
  ctx.body = {
    token_id: record.id,
    access_token: token,
    ...(include_reference_token && { reference_token: token }),
    expires_in,
    scope: record.scope,
    token_type: 'Bearer',
  }
}

/** "Get Tokens": those of whoever asks, of everybody for an admin. */
export async function listTokens(ctx: Context, services: Services): Promise<void> {
  const login = await requireInPerson(ctx, services)
  const tokens = await services.accessTokens.list(isAdmin(login) ? undefined : login.principal.name)
  ctx.status = 200
  ctx.body = { tokens: tokens.map(describe) }
}

/** "Get Token by ID". */
export async function getToken(ctx: Context, services: Services, id: string): Promise<void> {
  ctx.body = describe(await findVisible(services, await requireInPerson(ctx, services), id))
  ctx.status = 200
}

/** "Revoke Token by ID". */
export async function deleteToken(ctx: Context, services: Services, id: string): Promise<void> {
  await revokeToken(ctx, services, await requireInPerson(ctx, services), id)
  answerText(ctx, 'Revoked')
}

/** Times are seconds since 1970. */
function describe({ id, user, expiresAt, issuedAt, description, lastUsedAt, scope, kind }: TokenRecord) {
  return {
    token_id: id,
    subject: user,
    expiry: secondsOf(expiresAt),
    issued_at: secondsOf(issuedAt),
    description,
    last_used: secondsOf(lastUsedAt),
    scope,
    refreshable: false,
    kind,
  }
}

function secondsOf(at: Date | undefined): number | undefined {
  return at && Math.floor(at.getTime() / 1000)
}
