import type { Context } from '../http/context.ts'
import type { Services } from '../http/services.ts'
import { requireAdmin } from './require.ts'

/** Artifactory's "Open Metrics": in the text format of Prometheus. */
export async function answerMetrics(ctx: Context, services: Services): Promise<void> {
  await requireAdmin(ctx, services)
  ctx.status = 200
  ctx.set('Content-Type', services.metrics.contentType)
  ctx.body = await services.metrics.text()
}
