import type { ImageName, RepositoryKey } from '../../domain/names.ts'
import type { TagSet } from '../../domain/tag-set.ts'
import type { Caller } from '../../identity/authenticate.ts'
import type { PushTarget, Removal, Repository } from '../../repositories/repository.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { Context } from '../context.ts'
import { publicV2, type PublicV2 } from '../public-url.ts'
import type { Services } from '../services.ts'
import type { V2Address } from './address.ts'
import type { Resource, ResourceKind } from './resource.ts'

/** Resources that belong to an image; the others belong to the registry. */
export type ImageKind = Extract<Resource, { readonly name: string }>['kind']
export type RegistryKind = Exclude<ResourceKind, ImageKind>

/** A request below `/v2/` that has been understood. */
interface RequestFor<resource> {
  readonly services: Services
  readonly address: V2Address
  readonly resource: resource
}

/** … and that may be done: `caller` has what the endpoint needs. */
interface CallFor<resource> extends RequestFor<resource> {
  readonly caller: Caller
}

interface ImageCallFor<resource> extends CallFor<resource> {
  /** The tags that the caller may do this with; for what is not about one tag, at least one. */
  readonly allowed: TagSet
  readonly repository: Repository
  readonly image: ImageName
}

type ResourceOf<kind> = Extract<Resource, { readonly kind: kind }>
export type Request<kind extends ResourceKind = ResourceKind> = RequestFor<ResourceOf<kind>>
export type Call = CallFor<ResourceOf<RegistryKind>>
export type ImageCall<kind extends ImageKind = ImageKind> = ImageCallFor<ResourceOf<kind>>

/** How the client sees the API that it asks. */
export function publicView(ctx: Context, { address }: { readonly address: V2Address }): PublicV2 {
  return publicV2({ trusted: ctx.state.trust !== 'none', headers: ctx.req.headers }, address)
}

/** The image's name as the client knows it. */
export function publicName({ keyInNames }: PublicV2, repository: RepositoryKey, image: ImageName): string {
  return keyInNames ? `${repository}/${image}` : image
}

/** Absolute URL of something of the image; docker 1.6 and 1.7 understand no other. */
export function publicUrl(ctx: Context, call: ImageCall, below: string): string {
  const view = publicView(ctx, call)
  return `${view.origin}${view.base}/${publicName(view, call.repository.key, call.image)}/${below}`
}

/** Throws UNSUPPORTED for a repository that takes no pushes. */
export function pushTargetOf({ repository }: { readonly repository: Repository }): PushTarget {
  if (repository.pushTarget) return repository.pushTarget
  throw new RegistryError('UNSUPPORTED', {
    message: `the ${repository.kind} repository "${repository.key}" takes no pushes${unlessDeployed(repository)}`,
    detail: { repository: repository.key },
  })
}

/** Throws UNSUPPORTED for a repository in which nothing can be deleted. */
export function removalOf({ repository }: { readonly repository: Repository }): Removal {
  if (repository.removal) return repository.removal
  throw new RegistryError('UNSUPPORTED', {
    message: `the ${repository.kind} repository "${repository.key}" has nothing of its own to delete${unlessDeployed(repository)}`,
    detail: { repository: repository.key },
  })
}

function unlessDeployed({ kind }: Repository): string {
  return kind === 'virtual' ? ': its configuration names no deployTo' : ''
}
