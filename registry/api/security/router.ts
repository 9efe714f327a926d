import type Router from 'koa-router'
import type { Context, RequestState } from '../../http/context.ts'
import type { Services } from '../../http/services.ts'
import { createApiKey, getApiKey, renewApiKey, revokeApiKey, revokeApiKeyOf } from './api-key.ts'
import { getEncryptedPassword } from './encrypted-password.ts'
import { deleteGroup, getGroup, listGroups, putGroup, updateGroup } from './groups.ts'
import { answerJwks } from './jwks.ts'
import { deleteTarget, listTargets } from './permission-targets.ts'
import { getPermissionV1, putPermissionV1 } from './permissions-v1.ts'
import { createPermissionV2, getPermissionV2, putPermissionV2 } from './permissions-v2.ts'
import { createLegacyToken, revokeLegacyToken } from './token-legacy.ts'
import { createToken, deleteToken, getToken, listTokens } from './tokens.ts'
import { deleteUser, getUser, listUsers, putUser, updateUser } from './users.ts'

/** Users, groups, permission targets, keys and tokens. */
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

  router.post('/api/security/apiKey', on(createApiKey))
  router.get('/api/security/apiKey', on(getApiKey))
  router.put('/api/security/apiKey', on(renewApiKey))
  router.delete('/api/security/apiKey', on(revokeApiKey))
  router.delete('/api/security/apiKey/:name', onOne(revokeApiKeyOf))
  router.get('/api/security/encryptedPassword', on(getEncryptedPassword))

  router.post('/api/security/token', on(createLegacyToken))
  router.post('/api/security/token/revoke', on(revokeLegacyToken))
  router.get('/api/security/token/jwks', on(answerJwks))
  router.post('/access/api/v1/tokens', on(createToken))
  router.get('/access/api/v1/tokens', on(listTokens))
  router.get('/access/api/v1/tokens/:name', onOne(getToken))
  router.delete('/access/api/v1/tokens/:name', onOne(deleteToken))
}
