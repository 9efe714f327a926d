import { RegistryError } from '../domain/errors.ts'
import type { Context } from './context.ts'
import { readBody } from './request-body.ts'

const maxBytes = 64 * 1024

/** The fields of an HTML form, as OAuth2 sends them. Undefined when the body is none. Throws BAD_REQUEST for a very long one. */
export async function readForm(ctx: Context): Promise<URLSearchParams | undefined> {
  if (!/^application\/x-www-form-urlencoded(?:;|$)/i.test(ctx.req.headers['content-type'] ?? '')) return undefined
  const tooLarge = () => new RegistryError('BAD_REQUEST', { message: `the form is larger than ${maxBytes} bytes` })
  return new URLSearchParams((await readBody(ctx, maxBytes, tooLarge)).toString())
}
