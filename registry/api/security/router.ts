import type Router from 'koa-router'
import type { Context, RequestState } from '../../http/context.ts'
import type { Services } from '../../http/services.ts'
import { deleteGroup, getGroup, listGroups, putGroup, updateGroup } from './groups.ts'
import { deleteTarget, listTargets } from './permission-targets.ts'
import { getPermissionV1, putPermissionV1 } from './permissions-v1.ts'
import { createPermissionV2, getPermissionV2, putPermissionV2 } from './permissions-v2.ts'
import { deleteUser, getUser, listUsers, putUser, updateUser } from './users.ts'

/** Users, groups and permission targets. */
export function addSecurity(router: Router<RequestState>, services: Services): void {
  type Handle = (ctx: Context, services: Services) => Promise<void>
  type HandleOne = (ctx: Context, services: Services, name: string) => Promise<void>
  const on = (handle: Handle) => (ctx: Context) => handle(ctx, services)
  const onOne = (handle: HandleOne) => (ctx: Context & { params: Readonly<Record<string, string>> }) =>
    handle(ctx, services, ctx.params['name'] ?? '')

  router.get('/api/security/users', on(listUsers))
  router.get('/api/security/users/:name', onOne(getUser))
  router.put('/api/security/users/:name', onOne(putUser))
  router.post('/api/security/users/:name', onOne(updateUser))
  router.delete('/api/security/users/:name', onOne(deleteUser))

  router.get('/api/security/groups', on(listGroups))
  router.get('/api/security/groups/:name', onOne(getGroup))
  router.put('/api/security/groups/:name', onOne(putGroup))
  router.post('/api/security/groups/:name', onOne(updateGroup))
  router.delete('/api/security/groups/:name', onOne(deleteGroup))

  router.get('/api/security/permissions', (ctx) => listTargets(ctx, services, 'security/permissions'))
  router.get('/api/security/permissions/:name', onOne(getPermissionV1))
  router.put('/api/security/permissions/:name', onOne(putPermissionV1))
  router.delete('/api/security/permissions/:name', onOne(deleteTarget))
  router.get('/api/v2/security/permissions', (ctx) => listTargets(ctx, services, 'v2/security/permissions'))
  router.get('/api/v2/security/permissions/:name', onOne(getPermissionV2))
  router.post('/api/v2/security/permissions/:name', onOne(createPermissionV2))
  router.put('/api/v2/security/permissions/:name', onOne(putPermissionV2))
  router.delete('/api/v2/security/permissions/:name', onOne(deleteTarget))
}
