import Router from 'koa-router'
import type { RequestState } from '../http/context.ts'
import type { Services } from '../http/services.ts'
import { listRepositories } from './repositories.ts'
import { answerVersion, ping } from './system.ts'

/** The REST API below `<context>/api`, in Artifactory's paths and fields where it has them. */
export function openApi(services: Services): Router<RequestState> {
  const router = new Router<RequestState>({ prefix: `${services.config.context}/api`, sensitive: true })
  router.get('/system/ping', ping)
  router.get('/system/version', (ctx) => answerVersion(ctx, services))
  router.get('/repositories', (ctx) => listRepositories(ctx, services))
  return router
}
