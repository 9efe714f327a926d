import type { Context } from '../../http/context.ts'
import type { Services } from '../../http/services.ts'
import { requireInPerson } from '../require.ts'
import { answerText } from './answer.ts'
import { ownerOfKey, renewStanding } from './standing-token.ts'

/**
 * Artifactory's "Get User Encrypted Password": what works in place of the password, and stands in a file of docker's without telling it.
 * The same each time, until the password changes.
 */
export async function getEncryptedPassword(ctx: Context, services: Services): Promise<void> {
  const login = await requireInPerson(ctx, services)
  const kind = 'encrypted password'
  const known = await services.accessTokens.standing(await ownerOfKey(services, login), kind)
  ctx.set('Cache-Control', 'no-store')
  answerText(ctx, known ?? (await renewStanding(ctx, services, login, kind)))
}
