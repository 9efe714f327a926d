import { RegistryError } from '../../domain/errors.ts'
import type { ImageName, RepositoryKey } from '../../domain/names.ts'
import { permits, type Action } from '../../domain/permissions.ts'
import type { Caller } from '../../identity/authenticate.ts'
import type { Context } from '../context.ts'
import { callerMay } from './access.ts'
import { publicName, publicView, type ImageKind, type RegistryKind, type Request } from './call.ts'
import { catalogScope, challenge, imageScope } from './challenge.ts'

/** The caller, who may do `action`. Throws DENIED, or UNAUTHORIZED with a challenge where other credentials could help. */
export async function authorise(
  ctx: Context,
  request: Request<ImageKind>,
  action: Action,
  { repository, image }: { readonly repository: RepositoryKey; readonly image: ImageName },
): Promise<Caller> {
  const { services } = request
  const scope = () => imageScope(publicName(publicView(ctx, request), repository, image), action)
  const caller = await identify(ctx, request, scope)
  if (callerMay(services, caller, action, repository, image)) return caller

  const principal = await services.identities.principalOf(caller)
  const wouldBeGranted = permits(principal, action, repository, image, services.config)
  if (principal.kind === 'anonymous' || (caller.by === 'token' && wouldBeGranted))
    return challenge(ctx, publicView(ctx, request), { scope: scope(), insufficient: caller.by === 'token' })
  throw new RegistryError('DENIED', {
    message: `${principal.name} may not ${action} in ${image} of the repository ${repository}`,
    detail: { repository, image, action },
  })
}

/** What a request that is about no image needs: any credentials, the right to list images, or nothing. */
export type RegistryNeeds = 'login' | 'catalog' | 'nothing'

/** Throws UNAUTHORIZED with a challenge. */
export async function authoriseRegistry(
  ctx: Context,
  request: Request<RegistryKind>,
  needs: RegistryNeeds,
): Promise<Caller> {
  if (needs === 'nothing') return { by: 'nothing' }
  const scope = needs === 'catalog' ? catalogScope : undefined
  const caller = await identify(ctx, request, () => scope)
  switch (caller.by) {
    case 'nothing':
      if (needs === 'login' || !request.services.config.anonymousAccess)
        challenge(ctx, publicView(ctx, request), { scope })
      return caller
    case 'password':
      return caller
    case 'token':
      if (needs === 'catalog' && !caller.token.catalog)
        challenge(ctx, publicView(ctx, request), { scope, insufficient: true })
      return caller
  }
}

/** Who asks. Wrong credentials are answered with the challenge that `scope` belongs into. */
async function identify(ctx: Context, request: Request, scope: () => string | undefined): Promise<Caller> {
  try {
    return await request.services.identities.authenticate(ctx.req.headers.authorization)
  } catch (cause) {
    if (!(cause instanceof RegistryError) || cause.code !== 'UNAUTHORIZED') throw cause
    return challenge(ctx, publicView(ctx, request), { scope: scope(), cause })
  }
}
