import { admitsAnonymous } from '../../domain/access-rules.ts'
import { RegistryError } from '../../domain/errors.ts'
import { milliseconds } from '../../domain/duration.ts'
import { principalOf, type Caller } from '../../identity/authenticate.ts'
import type { Context } from '../context.ts'
import { callerOf } from '../identify.ts'
import { originOf } from '../origin.ts'
import { publicView, type Call } from '../v2/call.ts'
import { challengeBasic } from '../v2/challenge.ts'
import { answerJson } from '../v2/page.ts'
import { grantScopes, repositoriesIn } from './scope.ts'

/** Who may be given a token: whoever has logged in, or anonymous. */
export type TokenAsker = Exclude<Caller, { by: 'token' }>

/** Distribution's "Token Authentication Specification": a token for the one who sends a password, or for anonymous. */
export async function answerToken(ctx: Context, call: Call): Promise<void> {
  const asked = new URLSearchParams(ctx.state.target.query)
  const asker = await askerOf(ctx, call)
  const scopes = scopesIn(asked)
  if (asker.by === 'nothing' && !isForAnonymous(call, scopes)) {
    challengeBasic(ctx)
    throw new RegistryError('UNAUTHORIZED', { message: 'no token is given here without a login' })
  }
  await giveToken(ctx, call, asker, {
    scopes,
    service: asked.get('service'),
    offline: asked.get('offline_token') === 'true',
  })
}

async function askerOf(ctx: Context, { services }: Call): Promise<TokenAsker> {
  try {
    const caller = await callerOf(ctx, services)
    if (caller.by !== 'token') return caller
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'UNAUTHORIZED') challengeBasic(ctx)
    throw error
  }
  challengeBasic(ctx)
  // Else a token could be renewed for ever by whoever got hold of it.
  throw new RegistryError('UNAUTHORIZED', { message: 'a token is given for a user name and password, not for a token' })
}

/** Where a login is forced, anonymous is refused at once; elsewhere the token is good for what anonymous may. */
function isForAnonymous({ services: { config }, address }: Call, scopes: readonly string[]): boolean {
  const repositories = address.key === undefined ? repositoriesIn(scopes, address) : [address.key]
  if (repositories.length > 0) return repositories.some((key) => admitsAnonymous(config, key))
  return admitsAnonymous(config, undefined)
}

export interface TokenRequest {
  readonly scopes: readonly string[]
  readonly service: string | null
  /** Whether a refresh token is wanted besides. */
  readonly offline: boolean
}

export function scopesIn(asked: URLSearchParams): readonly string[] {
  return asked.getAll('scope').flatMap((value) => value.split(' ').filter((scope) => scope !== ''))
}

export async function giveToken(ctx: Context, call: Call, asker: TokenAsker, wanted: TokenRequest): Promise<void> {
  const { services, address } = call
  const access = { rules: await services.directory.rules(), anonymousAccess: services.config.anonymousAccess }
  const granted = grantScopes(wanted.scopes, principalOf(asker), address, access)
  const contents = { ...granted, owner: asker.by === 'login' ? asker.owner : undefined }
  // A password has been recorded where it was verified.
  if (asker.by === 'login' && asker.with !== 'password')
    services.audit.record({ type: 'login', by: asker.owner.user, with: asker.with, ...originOf(ctx, services) })
  const service = wanted.service || publicView(ctx, call).host
  const { token, expiresInSeconds, issuedAt } = await services.tokens.issue(contents, service)
  const refreshToken = wanted.offline ? await makeRefreshToken(ctx, call, asker, service) : undefined
  ctx.set('Cache-Control', 'no-store')
  // Some clients read the one name, some the other.
  answerJson(ctx, {
    token,
    access_token: token,
    expires_in: expiresInSeconds,
    issued_at: issuedAt.toISOString(),
    ...(refreshToken !== undefined && { refresh_token: refreshToken }),
  })
}

/** For a password alone, and one whose change we know of: what is given for it must not outlive it. */
async function makeRefreshToken(
  ctx: Context,
  { services }: Call,
  asker: TokenAsker,
  service: string,
): Promise<string | undefined> {
  if (asker.by !== 'login' || asker.with !== 'password') return undefined
  const { accessTokens, audit, config, directory } = services
  const { user } = asker.owner
  if ((await directory.find(user))?.record.realm !== 'internal') return undefined
  const lifeSeconds = Math.ceil(milliseconds(config.tokens.refreshLife) / 1000)
  const made = await accessTokens.make({
    user,
    kind: 'refresh',
    description: `docker login ${service}`.slice(0, 200),
    lifeSeconds,
  })
  audit.record({ type: 'token.made', by: user, subject: made.record.id, action: 'refresh', ...originOf(ctx, services) })
  return made.token
}
