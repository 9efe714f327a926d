import type { Context } from '../../http/context.ts'
import type { Services } from '../../http/services.ts'
import { requireInPerson } from '../require.ts'
import { answerText } from './answer.ts'
import { ensureStanding } from './standing-token.ts'

/**
 * Artifactory's "Get User Encrypted Password": what works in place of the password, and stands in a file of docker's without telling it.
 * The same each time, until the password changes.
 */
export async function getEncryptedPassword(ctx: Context, services: Services): Promise<void> {
  const login = await requireInPerson(ctx, services)
  const { token } = await ensureStanding(ctx, services, login, 'encrypted password')
  ctx.set('Cache-Control', 'no-store')
  answerText(ctx, token)
}
