import type { Context } from '../http/context.ts'
import type { Services } from '../http/services.ts'
import { requireAdmin } from './require.ts'

/** For load balancers and monitors; needs no login. */
export function ping(ctx: Context): void {
  ctx.status = 200
  ctx.body = 'OK'
}

export function answerVersion(ctx: Context, { version }: Services): void {
  ctx.status = 200
  ctx.body = { product: 'Caisson', version }
}

/** Artifactory's "Run Garbage Collection", by an admin. Answers when the round is over, with what it has removed. */
export async function collectGarbage(ctx: Context, services: Services): Promise<void> {
  await requireAdmin(ctx, services)
  ctx.body = await services.collectGarbage()
  ctx.status = 200
}
