import { z } from 'zod'
import { RegistryError } from '../../domain/errors.ts'
import type { Context } from '../../http/context.ts'
import type { Services } from '../../http/services.ts'
import { readFields } from '../read-fields.ts'
import { checkInPerson, requireInPerson, requireLogin } from '../require.ts'
import { answerText } from './answer.ts'
import { ignoredFields, makeToken, seconds } from './make-token.ts'
import { revokeShown, revokeToken } from './revoke-token.ts'

const wishForm = z.strictObject({
  grant_type: z
    .literal('client_credentials', 'expected client_credentials: tokens are not renewed here, but made anew')
    .optional(),
  username: z.string().min(1).optional(),
  scope: z.string().max(4096).optional(),
  // Artifactory's "Create Token".
  expires_in: seconds.default(3600),
  ...ignoredFields,
})

/** Artifactory's "Create Token", as it was before Access had its own. */
export async function createLegacyToken(ctx: Context, services: Services): Promise<void> {
  const login = await requireInPerson(ctx, services)
  const { username, scope, expires_in } = await readFields(ctx, wishForm)
  const wanted = { username, scope, description: '', lifeSeconds: expires_in }
  const { token, record } = await makeToken(ctx, services, login, wanted)
  ctx.status = 200
  ctx.body = { access_token: token, expires_in, scope: record.scope, token_type: 'Bearer' }
}

const revocationForm = z.strictObject({
  token: z.string().optional(),
  token_id: z.string().optional(),
  token_type_hint: z.string().optional(),
})

/** "Revoke Token": by its id, or by whoever has the token itself. */
export async function revokeLegacyToken(ctx: Context, services: Services): Promise<void> {
  const login = await requireLogin(ctx, services)
  const { token, token_id: id } = await readFields(ctx, revocationForm)
  if (token !== undefined) await revokeShown(ctx, services, login, token)
  else if (id !== undefined) {
    checkInPerson(ctx, services, login)
    await revokeToken(ctx, services, login, id)
  } else throw new RegistryError('BAD_REQUEST', { message: 'expected token or token_id' })
  answerText(ctx, 'Token revoked')
}
