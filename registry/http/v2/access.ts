import type { Digest } from '../../domain/digest.ts'
import type { ImageRef, RepositoryKey } from '../../domain/names.ts'
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
  through: readonly RepositoryKey[] = [],
): Promise<TagSet> {
  return (await directory.rules()).tagsOf(principal, action, repository, image, through)
}

/** The repository in which what this one is asked to change is changed. */
export function changedBy(repository: Repository): Repository {
  return repository.deployTo ?? repository
}

/** A push to an image, by one who may push to these tags of it. */
type Push = Pick<ImageCall, 'services' | 'caller' | 'repository' | 'image' | 'allowed'>

/**
 * What lies below these tags of the image one may name in a manifest of one's own: else one would come to what others keep there. Who
 * may read nothing of the image comes to nothing by that.
 */
export async function tagsToNameFrom({ services, caller, repository, image, allowed }: Push): Promise<TagSet> {
  const of = pushedTo({ repository, image })
  const through = of.repository === repository.key ? [] : [repository.key]
  const readable = await tagsOfPrincipal(services, principalOf(caller), 'read', of, through)
  return readable.extent === 'none' ? allowed : readable
}

/** The image that gets what is pushed. */
export function pushedTo({ repository, image }: Pick<Push, 'repository' | 'image'>): ImageRef {
  return { repository: changedBy(repository).key, image }
}

/** The caller has sent it, so it may name it from now on, whoever else keeps it in the image. */
export async function noteShown(push: Push, digest: Digest): Promise<void> {
  if ((await tagsToNameFrom(push)).extent === 'all') return
  await push.services.shownContent.note(userOf(push.caller), pushedTo(push), digest)
}
