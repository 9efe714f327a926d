import { checkInPerson } from '../api/require.ts'
import { RegistryError } from '../domain/errors.ts'
import { tokenIdOf } from '../identity/access-tokens.ts'
import type { Login } from '../identity/authenticate.ts'
import type { Context } from './context.ts'
import { callerOf } from './identify.ts'
import { originOf } from './origin.ts'
import { publicOrigin } from './public-url.ts'
import type { Services } from './services.ts'
import { challengeBasic } from './v2/challenge.ts'

/**
 * Artifactory's `<v1|v2>/auth`: what to put into docker's configuration by hand, with a secret in place of the password that can be
 * revoked. As its documentation shows it, an entry for `~/.dockercfg`, to be put among others; `?format=dockercfg` or
 * `?format=config.json` is a whole file of the older or the present-day kind.
 */
export async function answerDockerConfig(ctx: Context, services: Services): Promise<void> {
  ctx.set('Cache-Control', 'no-store')
  const { name, secret, email } = await credentialsFor(ctx, services)
  const { origin, host } = publicOrigin({ trusted: ctx.state.trust !== 'none', headers: ctx.req.headers })
  const auth = Buffer.from(`${name}:${secret}`).toString('base64')
  const entry = { [origin]: { auth, ...(email !== undefined && { email }) } }
  ctx.status = 200
  switch (formatOf(ctx)) {
    case 'entry':
      ctx.set('Content-Type', 'text/plain; charset=utf-8')
      ctx.body = `${JSON.stringify(entry, undefined, 2).split('\n').slice(1, -1).join('\n').replaceAll(/^ {2}/gm, '')}\n`
      return
    case 'dockercfg':
      ctx.set('Content-Type', 'application/json')
      ctx.body = `${JSON.stringify(entry, undefined, 2)}\n`
      return
    case 'config.json':
      ctx.set('Content-Type', 'application/json')
      ctx.body = `${JSON.stringify({ auths: { [host]: { auth } } }, undefined, 2)}\n`
  }
}

const formats = ['entry', 'dockercfg', 'config.json'] as const

function formatOf(ctx: Context): (typeof formats)[number] {
  const asked = new URLSearchParams(ctx.state.target.query).get('format') ?? 'entry'
  const format = formats.find((known) => known === asked)
  if (format) return format
  throw new RegistryError('BAD_REQUEST', { message: `format is "${asked}": expected ${formats.join(', ')}` })
}

interface Credentials {
  readonly name: string
  readonly secret: string
  readonly email: string | undefined
}

/** Throws UNAUTHORIZED with a challenge, and DENIED for who shows a token that must not become more than it is. */
async function credentialsFor(ctx: Context, services: Services): Promise<Credentials> {
  const { directory, accessTokens, audit } = services
  const login = await loginOf(ctx, services)
  // What it gives does not end with what is shown for it.
  if (login.with !== 'encrypted password') checkInPerson(ctx, services, login)
  const known = await directory.find(login.owner.user)
  if (!known || login.principal !== known.principal)
    throw new RegistryError('DENIED', {
      message: 'this is given to users who show all that they may do, not to a limited token',
    })
  const { name, email } = known.record
  const { token: secret, isNew } = await accessTokens.ensureStanding(name, 'encrypted password')
  if (isNew)
    audit.record({
      type: 'token.made',
      by: name,
      with: login.with,
      subject: tokenIdOf(secret),
      action: 'encrypted password',
      ...originOf(ctx, services),
    })
  return { name, email, secret }
}

async function loginOf(ctx: Context, services: Services): Promise<Login> {
  try {
    const caller = await callerOf(ctx, services)
    if (caller.by === 'login') return caller
  } catch (error) {
    if (!(error instanceof RegistryError) || error.code !== 'UNAUTHORIZED') throw error
  }
  challengeBasic(ctx)
  throw new RegistryError('UNAUTHORIZED')
}
