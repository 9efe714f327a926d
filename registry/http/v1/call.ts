import type { Digest } from '../../domain/digest.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { ImageName } from '../../domain/names.ts'
import type { Action } from '../../domain/permissions.ts'
import type { TagSet } from '../../domain/tag-set.ts'
import { userOf, type Caller } from '../../identity/authenticate.ts'
import type { V1Pusher } from '../../repositories/local/v1-pushes.ts'
import type { V1Repository } from '../../repositories/local/v1-repository.ts'
import { isReachable } from '../../repositories/reachable.ts'
import type { Services } from '../services.ts'
import { tagsAllowed, tagsToNameFrom } from '../v2/access.ts'
import type { V1Address } from './address.ts'
import type { V1Kind, V1Resource } from './resource.ts'

type ResourceOf<kind> = Extract<V1Resource, { readonly kind: kind }>

/** A request below `/v1/` that has been understood. */
interface RequestFor<resource> {
  readonly services: Services
  readonly address: V1Address
  readonly resource: resource
}

/** … to a repository that speaks the V1 API, by one who may do that. */
interface RepositoryCallFor<resource> extends RequestFor<resource> {
  readonly repository: V1Repository
  readonly caller: Caller
}

/** … about an image name. */
interface NameCallFor<resource> extends RepositoryCallFor<resource> {
  readonly image: ImageName
  /** The tags that the caller may do this with. */
  readonly allowed: TagSet
}

export type V1Request<kind extends V1Kind = V1Kind> = RequestFor<ResourceOf<kind>>
export type RepositoryCall<kind extends V1Kind = V1Kind> = RepositoryCallFor<ResourceOf<kind>>
export type NameCall<kind extends V1Kind = V1Kind> = NameCallFor<ResourceOf<kind>>

/** The caller, to a repository that is asked for images by their ids. */
export function pusherOf({ services, caller, repository }: RepositoryCall): V1Pusher {
  const tags = async (action: Action, image: ImageName): Promise<TagSet> =>
    tagsAllowed(services, caller, action, { repository: repository.key, image })
  return {
    principal: userOf(caller) ?? '',
    mayRead: async (image: ImageName, digest: Digest) =>
      isReachable(repository.local, { image }, digest, await tags('read', image)),
    mayDeploy: async (image) => (await tags('deploy', image)).extent !== 'none',
    mayBuildOn: async (image, digest) => {
      const push = { services, caller, repository: repository.local, image, allowed: await tags('deploy', image) }
      return isReachable(repository.local, { image }, digest, await tagsToNameFrom(push))
    },
  }
}

export function tagUnknown(tag: string): RegistryError {
  return new RegistryError('MANIFEST_UNKNOWN', { message: `Tag not found: ${tag}` })
}

export function repositoryUnknown(image: ImageName): RegistryError {
  return new RegistryError('NAME_UNKNOWN', { message: 'Repository not found', detail: { image } })
}
