import Router from 'koa-router'
import type { RequestState } from '../http/context.ts'
import type { Services } from '../http/services.ts'
import { listAudit } from './audit.ts'
import { deleteItem } from './deletion.ts'
import { answerMetrics } from './metrics.ts'
import { answerMigration, listMigrations, migrate } from './migration.ts'
import { beginLogin, finishLogin } from './oidc-login.ts'
import { exchangeToken } from './oidc-token.ts'
import { listRepositories } from './repositories.ts'
import { addSecurity } from './security/router.ts'
import { pullThrough } from './pull-through.ts'
import { answerSession, endSession } from './session.ts'
import { answerVersion, collectGarbage, ping } from './system.ts'

/** The REST API below the context, in Artifactory's paths and fields where it has them. `api` is no repository key. */
export function openApi(services: Services): Router<RequestState> {
  const router = new Router<RequestState>({ prefix: services.config.context, sensitive: true })
  router.get('/api/system/ping', ping)
  router.get('/api/system/version', (ctx) => answerVersion(ctx, services))
  router.post('/api/system/storage/gc', (ctx) => collectGarbage(ctx, services))
  router.get('/api/security/audit', (ctx) => listAudit(ctx, services))
  router.get('/api/v1/metrics', (ctx) => answerMetrics(ctx, services))
  router.post('/api/docker/:key/pull-through', (ctx) => pullThrough(ctx, services, ctx.params['key'] ?? ''))
  router.post('/api/docker/:key/v1/migrate', (ctx) => migrate(ctx, services, ctx.params['key'] ?? ''))
  router.get('/api/docker/:key/v1/migrate', (ctx) => listMigrations(ctx, services, ctx.params['key'] ?? ''))
  router.get('/api/docker/:key/v1/migrate/:id', (ctx) =>
    answerMigration(ctx, services, ctx.params['key'] ?? '', ctx.params['id'] ?? ''),
  )
  router.get('/api/repositories', (ctx) => listRepositories(ctx, services))
  router.post('/access/api/v1/oidc/token', (ctx) => exchangeToken(ctx, services))
  router.get('/api/oidc/:provider/login', (ctx) => beginLogin(ctx, services, ctx.params['provider'] ?? ''))
  router.get('/api/oidc/:provider/callback', (ctx) => finishLogin(ctx, services, ctx.params['provider'] ?? ''))
  router.get('/api/security/session', (ctx) => answerSession(ctx, services))
  router.delete('/api/security/session', (ctx) => endSession(ctx, services))
  addSecurity(router, services)
  router.delete('/*item', (ctx) => deleteItem(ctx, services))
  return router
}
