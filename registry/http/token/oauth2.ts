import { errorBody } from '../../../wire/error-body.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { Login } from '../../identity/authenticate.ts'
import type { Context } from '../context.ts'
import { originOf } from '../origin.ts'
import { readForm } from '../request-form.ts'
import type { Call } from '../v2/call.ts'
import { answerJson } from '../v2/page.ts'
import { giveToken, scopesIn } from './token.ts'

/** RFC 6749 §4.3 with a password, which BuildKit and containerd try before anything else, and §6 with a refresh token. */
export async function answerOAuth2(ctx: Context, call: Call): Promise<void> {
  const form = await readForm(ctx)
  if (!form) return refuse(ctx, 400, 'invalid_request', 'expected an application/x-www-form-urlencoded body')
  switch (form.get('grant_type')) {
    case 'password':
      return byPassword(ctx, call, form)
    case 'refresh_token':
      return byRefreshToken(ctx, call, form)
    default: {
      const grantType = form.get('grant_type') ?? 'missing'
      return refuse(
        ctx,
        400,
        'unsupported_grant_type',
        `grant_type is ${grantType}: expected password or refresh_token`,
      )
    }
  }
}

async function byPassword(ctx: Context, call: Call, form: URLSearchParams): Promise<void> {
  const [name, password] = [form.get('username'), form.get('password')]
  if (name === null || password === null) return refuse(ctx, 400, 'invalid_request', 'username or password is missing')
  const login = await loginOrReason(ctx, call, name, password)
  // Not 400 as in RFC 6749 §5.2: clients then report a broken registry instead of a wrong password.
  if (typeof login === 'string') return refuse(ctx, 401, 'invalid_grant', login)
  await give(ctx, call, form, login)
}

async function byRefreshToken(ctx: Context, call: Call, form: URLSearchParams): Promise<void> {
  const token = form.get('refresh_token')
  if (token === null) return refuse(ctx, 400, 'invalid_request', 'refresh_token is missing')
  const login = await call.services.identities.refresh(token)
  if (!login) return refuse(ctx, 401, 'invalid_grant', 'the refresh token is not valid or has expired: log in again')
  await give(ctx, call, form, login)
}

async function give(ctx: Context, call: Call, form: URLSearchParams, login: Login): Promise<void> {
  const offline = form.get('access_type') === 'offline'
  await giveToken(ctx, call, login, { scopes: scopesIn(form), service: form.get('service'), offline })
}

async function loginOrReason(ctx: Context, call: Call, name: string, password: string): Promise<Login | string> {
  const { services } = call
  try {
    return await services.identities.login(name, password, () => originOf(ctx, services))
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'UNAUTHORIZED') return error.message
    throw error
  }
}

/** RFC 6749 §5.2, and besides it the form of all other errors, which is what docker shows to people. */
function refuse(ctx: Context, status: number, error: string, description: string): void {
  const { errors } = errorBody(status === 401 ? 'UNAUTHORIZED' : 'UNSUPPORTED', description)
  ctx.set('Cache-Control', 'no-store')
  answerJson(ctx, { error, error_description: description, errors })
  ctx.status = status
}
