import { z } from 'zod'
import { isRepositoryKey } from '../../domain/names.ts'
import type { Context } from '../../http/context.ts'
import type { Services } from '../../http/services.ts'
import type { MadeToken } from '../../identity/access-tokens.ts'
import type { Login } from '../../identity/authenticate.ts'
import { checkTokenWish, maxLifeSeconds } from '../../identity/token-wish.ts'
import { isAdmin, refuse } from '../require.ts'
import { recordToken } from './record-change.ts'

/** Of JSON or an HTML form, where everything is text. */
export const seconds = z
  .union(
    [
      z.number(),
      z
        .string()
        .regex(/^\d{1,12}$/)
        .transform(Number),
    ],
    'expected a number of seconds, 0 for ever',
  )
  .pipe(z.int().min(0).max(maxLifeSeconds))
export const truth = z.union(
  [z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')],
  'expected true or false',
)

/** Fields that mean nothing here, and are accepted because clients always send them. */
export const ignoredFields = {
  /** Other services would have to know our tokens: there are none. */
  audience: z.string().optional(),
  /** A token that can be used again as long as it is good needs no other to renew it. */
  refreshable: truth.optional(),
  force_revocable: truth.optional(),
} as const

export interface TokenWanted {
  /** Default: whoever asks. */
  readonly username?: string | undefined
  readonly scope?: string | undefined
  readonly description: string
  /** 0: until it is revoked. */
  readonly lifeSeconds: number
}

/**
 * A token for whoever asks, good for all that this user may do or for a part of it; by an admin for anybody and anything. `login` is one
 * of {@link requireInPerson}. Throws DENIED: membership in a group may end, but a token that says it would not.
 */
export async function makeToken(
  ctx: Context,
  services: Services,
  login: Login,
  wanted: TokenWanted,
): Promise<MadeToken> {
  const { administration, accessTokens } = services
  const { scope, description, lifeSeconds } = wanted
  const own = login.principal.name
  const user = wanted.username ?? own
  if (user !== own && !isAdmin(login)) refuse(ctx, services, login, `only an admin makes tokens for others than ${own}`)
  const { kind } = await checkTokenWish(user, scope, { administration, repositories: await visibleTo(services, login) })
  if (kind !== 'user' && kind !== 'limits' && !isAdmin(login))
    refuse(ctx, services, login, `only an admin makes tokens with the scope ${scope}`)
  const made = await accessTokens.make({
    user,
    kind: 'access',
    scope,
    description,
    lifeSeconds: lifeSeconds === 0 ? undefined : lifeSeconds,
  })
  recordToken(ctx, services, login, { type: 'token.made', ...made.record })
  ctx.set('Cache-Control', 'no-store')
  return made
}

/** Who may not read in a repository is not told that it is there. */
async function visibleTo({ config, directory }: Services, { principal }: Login): Promise<readonly string[]> {
  const rules = await directory.rules()
  return Object.keys(config.repositories).filter(
    (key) => isRepositoryKey(key) && rules.extentOf(principal, 'read', key) !== 'none',
  )
}
