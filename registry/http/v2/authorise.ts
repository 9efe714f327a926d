import { admitsAnonymous } from '../../domain/access-rules.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { ImageRef, Tag } from '../../domain/names.ts'
import type { Action } from '../../domain/permissions.ts'
import { noTag, union, type TagSet } from '../../domain/tag-set.ts'
import { principalOf, type Caller } from '../../identity/authenticate.ts'
import type { Context } from '../context.ts'
import type { Services } from '../services.ts'
import { callerOf } from '../identify.ts'
import { originOf } from '../origin.ts'
import { tagsAllowed, tagsOfPrincipal } from './access.ts'
import { publicName, publicView, type ImageKind, type RegistryKind, type Request } from './call.ts'
import { asksAnonymous, catalogScope, challenge, imageScope } from './challenge.ts'

export interface Authorised {
  readonly caller: Caller
  /** The tags that it may do this with. */
  readonly allowed: TagSet
}

/** What a request is about, and what one needs for it: one of the actions, the first being the usual one. */
interface Wish extends ImageRef {
  readonly actions: readonly [Action, ...(readonly Action[])]
  /** Undefined: it is not about one tag, and what it is about is looked at when that is known. */
  readonly tag: Tag | undefined
}

/** The caller, who may. Throws DENIED, or UNAUTHORIZED with a challenge where other credentials could help. */
export async function authorise(ctx: Context, request: Request<ImageKind>, wish: Wish): Promise<Authorised> {
  const { services } = request
  const [usual] = wish.actions
  const scope = () => imageScope(publicName(publicView(ctx, request), wish.repository, wish.image), usual)
  const caller = await identify(ctx, request, scope)
  const shown = await Promise.all(wish.actions.map((action) => tagsAllowed(services, caller, action, wish)))
  const allowed = wish.tag === undefined ? firstOf(shown) : union(shown)
  if (covers(allowed, wish.tag)) return { caller, allowed }

  const principal = principalOf(caller)
  if (principal.kind === 'user') {
    const could = caller.by === 'token' && covers(await tagsOfPrincipal(services, principal, usual, wish), wish.tag)
    if (!could) throw denied(ctx, services, principal.name, wish)
  } else if (caller.by === 'nothing' && !asksAnonymous(ctx, services, wish.repository)) {
    throw new RegistryError('DENIED', { message: `this needs a login: ${usual} in ${nameOf(wish)}` })
  }
  return challenge(ctx, request, { scope: scope(), insufficient: caller.by === 'token' })
}

/** What is about no tag is asked for by one of the rights: what a client is told to be there, it must be let go on with. */
function firstOf(shown: readonly TagSet[]): TagSet {
  return shown.find(({ extent }) => extent !== 'none') ?? noTag
}

export function covers(allowed: TagSet, tag: Tag | undefined): boolean {
  return tag === undefined ? allowed.extent !== 'none' : allowed.has(tag)
}

/** A user may not, which is recorded. */
export function denied(ctx: Context, services: Services, by: string, wish: Wish): RegistryError {
  const { repository, image, tag, actions } = wish
  const [action] = actions
  services.audit.record({
    type: 'refused',
    by,
    ...originOf(ctx, services),
    repository,
    image,
    action,
    ...(tag !== undefined && { tags: [tag] }),
  })
  return new RegistryError('DENIED', {
    message: `${by} may not ${action} in ${nameOf(wish)}`,
    detail: { repository, image, action },
  })
}

function nameOf({ repository, image, tag }: Wish): string {
  return `${tag === undefined ? image : `${image}:${tag}`} of the repository ${repository}`
}

/** What a request that is about no image needs: any credentials, the right to list images, or nothing that is looked at here. */
export type RegistryNeeds = 'login' | 'catalog' | 'nothing'

/** Throws UNAUTHORIZED with a challenge. */
export async function authoriseRegistry(
  ctx: Context,
  request: Request<RegistryKind>,
  needs: RegistryNeeds,
): Promise<Caller> {
  const { services, address } = request
  if (needs === 'nothing') return { by: 'nothing' }
  const scope = needs === 'catalog' ? catalogScope : undefined
  const caller = await identify(ctx, request, () => scope)
  switch (caller.by) {
    case 'nothing':
      if (
        needs === 'login' ? asksAnonymous(ctx, services, address.key) : !admitsAnonymous(services.config, address.key)
      )
        challenge(ctx, request, { scope })
      return caller
    case 'login':
      return caller
    case 'token':
      if (needs === 'catalog' && !caller.token.catalog) challenge(ctx, request, { scope, insufficient: true })
      return caller
  }
}

/** Who asks. Wrong credentials are answered with the challenge that `scope` belongs into. */
async function identify(ctx: Context, request: Request, scope: () => string | undefined): Promise<Caller> {
  try {
    return await callerOf(ctx, request.services)
  } catch (cause) {
    if (!(cause instanceof RegistryError) || cause.code !== 'UNAUTHORIZED') throw cause
    return challenge(ctx, request, { scope: scope(), cause })
  }
}
