import { RegistryError } from '../../domain/errors.ts'
import type { Context } from '../context.ts'
import { readBody } from '../request-body.ts'
import type { Call } from '../v2/call.ts'
import { answerJson } from '../v2/page.ts'
import { giveToken } from './token.ts'

const maxFormBytes = 64 * 1024

/** RFC 6749 §4.3 with a password, which BuildKit and containerd try before anything else. */
export async function answerOAuth2(ctx: Context, call: Call): Promise<void> {
  const form = await readForm(ctx)
  if (!form) return refuse(ctx, 400, 'invalid_request', 'expected an application/x-www-form-urlencoded body')
  const grantType = form.get('grant_type')
  if (grantType !== 'password')
    return refuse(ctx, 400, 'unsupported_grant_type', `grant_type is ${grantType ?? 'missing'}: expected password`)
  const [name, password] = [form.get('username'), form.get('password')]
  if (name === null || password === null) return refuse(ctx, 400, 'invalid_request', 'username or password is missing')

  const user = await call.services.checkPassword(name, password)
  // Not 400 as in RFC 6749 §5.2: clients then report a broken registry instead of a wrong password.
  if (!user) return refuse(ctx, 401, 'invalid_grant', 'wrong user name or password')
  await giveToken(ctx, call, { kind: 'user', name: user.name, admin: user.admin }, form)
}

async function readForm(ctx: Context): Promise<URLSearchParams | undefined> {
  if (!/^application\/x-www-form-urlencoded(?:;|$)/i.test(ctx.req.headers['content-type'] ?? '')) return undefined
  const tooLarge = () => new RegistryError('BAD_REQUEST', { message: `the form is larger than ${maxFormBytes} bytes` })
  return new URLSearchParams((await readBody(ctx, maxFormBytes, tooLarge)).toString())
}

/** RFC 6749 §5.2. */
function refuse(ctx: Context, status: number, error: string, description: string): void {
  ctx.set('Cache-Control', 'no-store')
  answerJson(ctx, { error, error_description: description })
  ctx.status = status
}
