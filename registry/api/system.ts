import packageJson from '../../package.json' with { type: 'json' }
import type { Context } from '../http/context.ts'

/** For load balancers and monitors; needs no login. */
export function ping(ctx: Context): void {
  ctx.status = 200
  ctx.body = 'OK'
}

export function version(ctx: Context): void {
  ctx.status = 200
  ctx.body = { product: 'Caisson', version: packageJson.version }
}
