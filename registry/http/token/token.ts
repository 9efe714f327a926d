import { RegistryError } from '../../domain/errors.ts'
import type { Principal } from '../../domain/permissions.ts'
import type { Context } from '../context.ts'
import { publicView, type Call } from '../v2/call.ts'
import { answerJson } from '../v2/page.ts'
import { grantScopes } from './scope.ts'

/** Distribution's "Token Authentication Specification": a token for the one who sends a password, or for anonymous. */
export async function answerToken(ctx: Context, call: Call): Promise<void> {
  const principal = await principalOf(ctx, call)
  await giveToken(ctx, call, principal, new URLSearchParams(ctx.state.target.query))
}

async function principalOf(ctx: Context, { services: { identities } }: Call): Promise<Principal> {
  try {
    const caller = await identities.authenticate(ctx.req.headers.authorization)
    if (caller.by !== 'token') return await identities.principalOf(caller)
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'UNAUTHORIZED') challengeBasic(ctx)
    throw error
  }
  challengeBasic(ctx)
  // Else a token could be renewed for ever by whoever got hold of it.
  throw new RegistryError('UNAUTHORIZED', { message: 'a token is given for a user name and password, not for a token' })
}

function challengeBasic(ctx: Context): void {
  ctx.set('WWW-Authenticate', 'Basic realm="Caisson"')
}

/** `asked` is the query or the form: both have the same `scope` and `service`. */
export async function giveToken(ctx: Context, call: Call, principal: Principal, asked: URLSearchParams): Promise<void> {
  const { services, address } = call
  const scopes = asked.getAll('scope').flatMap((value) => value.split(' '))
  const contents = grantScopes(scopes, principal, address, services.config)
  const service = asked.get('service') || publicView(ctx, call).host
  const { token, expiresInSeconds, issuedAt } = await services.tokens.issue(contents, service)
  ctx.set('Cache-Control', 'no-store')
  // Some clients read the one name, some the other.
  answerJson(ctx, {
    token,
    access_token: token,
    expires_in: expiresInSeconds,
    issued_at: issuedAt.toISOString(),
  })
}
