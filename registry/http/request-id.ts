import { randomUUID } from 'node:crypto'
import type { Context } from './context.ts'

const own = new WeakMap<object, string>()

/** The id that a trusted peer gave the request; one of our own without one. */
export function requestId(ctx: Context): string {
  const given = ctx.req.headers['x-request-id']
  if (ctx.state.trust !== 'none' && typeof given === 'string' && given.length <= 128) return given
  const id = own.get(ctx.req) ?? randomUUID()
  own.set(ctx.req, id)
  return id
}
