import type { Context } from '../http/context.ts'
import type { Services } from '../http/services.ts'

/** For load balancers and monitors; needs no login. */
export function ping(ctx: Context): void {
  ctx.status = 200
  ctx.body = 'OK'
}

export function answerVersion(ctx: Context, { version }: Services): void {
  ctx.status = 200
  ctx.body = { product: 'Caisson', version }
}
