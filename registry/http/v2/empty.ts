import type { Context } from '../context.ts'

/** Ends the answer without a body; Koa alone would turn the status into 204 or send the status' name as text. */
export function empty(ctx: Context): void {
  ctx.body = Buffer.alloc(0)
  ctx.remove('Content-Type')
}
