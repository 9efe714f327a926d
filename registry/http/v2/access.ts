import type { Digest } from '../../domain/digest.ts'
import type { ImageRef } from '../../domain/names.ts'
import type { Action, Principal } from '../../domain/permissions.ts'
import { noTag, type TagSet } from '../../domain/tag-set.ts'
import { principalOf, userOf, type Caller } from '../../identity/authenticate.ts'
import type { Repository } from '../../repositories/repository.ts'
import type { Services } from '../services.ts'
import type { ImageCall } from './call.ts'

/** The tags of the image that the caller may do this with, by what it showed: a token is good for what it says and no more. */
export async function tagsAllowed(
  { directory }: Services,
  caller: Caller,
  action: Action,
  { repository, image }: ImageRef,
): Promise<TagSet> {
  if (caller.by === 'token') {
    const { grants } = caller.token
    const isGranted = grants.some(
      (grant) => grant.repository === repository && grant.image === image && grant.actions.includes(action),
    )
    if (!isGranted) return noTag
  }
  return (await directory.rules()).tagsOf(principalOf(caller), action, repository, image)
}

/** The same for whoever is behind it, whatever it showed: of an image that its token could not have been asked for. */
export async function tagsOfPrincipal(
  { directory }: Services,
  principal: Principal,
  action: Action,
  { repository, image }: ImageRef,
): Promise<TagSet> {
  return (await directory.rules()).tagsOf(principal, action, repository, image)
}

/** Whether one may come to the manifest or blob by these tags of its image. What no tag leads to is for those who have all. */
export async function isReachable(
  repository: Repository,
  { image }: Pick<ImageRef, 'image'>,
  digest: Digest,
  allowed: TagSet,
): Promise<boolean> {
  if (allowed.extent !== 'some') return allowed.extent === 'all'
  const tags = await repository.tagsHolding(image, digest)
  return tags.some((tag) => allowed.has(tag))
}

/** A push to an image, by one who may push to these tags of it. */
type Push = Pick<ImageCall, 'services' | 'caller' | 'repository' | 'image' | 'allowed'>

/**
 * What lies below these tags of the image one may name in a manifest of one's own: else one would come to what others keep there. Who
 * may read nothing of the image comes to nothing by that.
 */
export async function tagsToNameFrom({ services, caller, repository, image, allowed }: Push): Promise<TagSet> {
  const of = { repository: repository.key, image }
  const readable = await tagsOfPrincipal(services, principalOf(caller), 'read', of)
  return readable.extent === 'none' ? allowed : readable
}

/** The caller has sent it, so it may name it from now on, whoever else keeps it in the image. */
export async function noteShown(push: Push, digest: Digest): Promise<void> {
  const { services, caller, repository, image } = push
  if ((await tagsToNameFrom(push)).extent === 'all') return
  await services.shownContent.note(userOf(caller), { repository: repository.key, image }, digest)
}
