import { RegistryError } from '../../domain/errors.ts'
import type { RepositoryKey } from '../../domain/names.ts'
import type { ImageName, Tag } from '../../domain/names.ts'
import type { Action } from '../../domain/permissions.ts'
import type { V1Repository } from '../../repositories/local/v1-repository.ts'
import type { Context } from '../context.ts'
import { answerDockerConfig } from '../docker-config.ts'
import { authoriseAny, authoriseName } from './authorise.ts'
import type { NameCall, RepositoryCall, V1Request } from './call.ts'
import { putChecksum, putJson, putLayer } from './image-push.ts'
import { getAncestry, getJson, getLayer, getLayerAccess } from './images.ts'
import { getDiff, getFiles } from './layer-listing.ts'
import { ping } from './ping.ts'
import {
  deleteRepository,
  deleteRepositoryImages,
  getProperties,
  getRepositoryImages,
  putProperties,
  putRepository,
  putRepositoryAuth,
  putRepositoryImages,
} from './repositories.ts'
import type { V1Kind, V1Resource } from './resource.ts'
import { answerSearch } from './search.ts'
import { deleteTag, getRepositoryJson, getTag, getTagJson, getTags, putTag } from './tags.ts'
import { checkLogin, registerUser } from './users.ts'

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

export interface Endpoint {
  readonly kind: V1Kind
  readonly method: Method
  /** Authorises, and answers. */
  readonly answer: (ctx: Context, request: V1Request) => Promise<void>
}

/** Whatever is in the repository or in none. */
function open<kind extends V1Kind>(row: {
  readonly method: Method
  readonly kind: kind
  readonly handle: (ctx: Context, request: V1Request<kind>) => Promise<void>
}): Endpoint {
  return { ...row, answer: (ctx, request) => row.handle(ctx, ofKind(request, row.kind)) }
}

/** What it needs is checked before `handle` is called. */
interface Row<kind, call> {
  readonly method: Method
  readonly kind: kind
  readonly needs: Action
  readonly handle: (ctx: Context, call: call) => Promise<void>
}

type ImageKind = Extract<V1Kind, `image ${string}` | 'layer access'>

/** About an image by its id: which image name that is in is found by the handler. */
function ofImage<kind extends ImageKind>(row: Row<kind, RepositoryCall<kind>>): Endpoint {
  return {
    ...row,
    answer: async (ctx, untyped) => {
      const request = ofKind(untyped, row.kind)
      const key = keyOf(request)
      const caller = await authoriseAny(ctx, request.services, key, row.needs)
      await row.handle(ctx, { ...request, repository: repositoryOf(request, key), caller })
    },
  }
}

type NameKind = Exclude<V1Kind, ImageKind | 'ping' | 'search' | 'users' | 'auth'>

function ofName<kind extends NameKind>(row: Row<kind, NameCall<kind>>): Endpoint {
  return {
    ...row,
    answer: async (ctx, untyped) => {
      const request = ofKind(untyped, row.kind)
      const key = keyOf(request)
      const { image, tag } = namedIn(untyped.resource)
      const wish = { repository: key, image, action: row.needs, tag }
      const authorised = await authoriseName(ctx, request.services, wish)
      await row.handle(ctx, { ...request, ...authorised, repository: repositoryOf(request, key), image })
    },
  }
}

export const endpoints: readonly Endpoint[] = [
  open({ method: 'GET', kind: 'ping', handle: ping }),
  open({
    method: 'GET',
    kind: 'search',
    handle: (ctx, { services, address }) => answerSearch(ctx, services, address.key),
  }),
  open({ method: 'POST', kind: 'users', handle: registerUser }),
  open({ method: 'GET', kind: 'users', handle: checkLogin }),
  open({ method: 'GET', kind: 'auth', handle: (ctx, { services }) => answerDockerConfig(ctx, services) }),
  ofImage({ method: 'GET', kind: 'image json', needs: 'read', handle: getJson }),
  ofImage({ method: 'PUT', kind: 'image json', needs: 'deploy', handle: putJson }),
  ofImage({ method: 'GET', kind: 'image layer', needs: 'read', handle: getLayer }),
  ofImage({ method: 'PUT', kind: 'image layer', needs: 'deploy', handle: putLayer }),
  ofImage({ method: 'PUT', kind: 'image checksum', needs: 'deploy', handle: putChecksum }),
  ofImage({ method: 'GET', kind: 'image ancestry', needs: 'read', handle: getAncestry }),
  ofImage({ method: 'GET', kind: 'image files', needs: 'read', handle: getFiles }),
  ofImage({ method: 'GET', kind: 'image diff', needs: 'read', handle: getDiff }),
  ofImage({ method: 'GET', kind: 'layer access', needs: 'read', handle: getLayerAccess }),
  ofName({ method: 'PUT', kind: 'repository', needs: 'deploy', handle: putRepository }),
  ofName({ method: 'DELETE', kind: 'repository', needs: 'delete', handle: deleteRepository }),
  ofName({ method: 'GET', kind: 'repository images', needs: 'read', handle: getRepositoryImages }),
  ofName({ method: 'PUT', kind: 'repository images', needs: 'deploy', handle: putRepositoryImages }),
  ofName({ method: 'DELETE', kind: 'repository images', needs: 'delete', handle: deleteRepositoryImages }),
  ofName({ method: 'PUT', kind: 'repository auth', needs: 'read', handle: putRepositoryAuth }),
  ofName({ method: 'GET', kind: 'repository json', needs: 'read', handle: getRepositoryJson }),
  ofName({ method: 'GET', kind: 'properties', needs: 'read', handle: getProperties }),
  ofName({ method: 'PUT', kind: 'properties', needs: 'manage', handle: putProperties }),
  ofName({ method: 'GET', kind: 'tags', needs: 'read', handle: getTags }),
  ofName({ method: 'DELETE', kind: 'tags', needs: 'delete', handle: deleteRepository }),
  ofName({ method: 'GET', kind: 'tag', needs: 'read', handle: getTag }),
  ofName({ method: 'PUT', kind: 'tag', needs: 'deploy', handle: putTag }),
  ofName({ method: 'DELETE', kind: 'tag', needs: 'delete', handle: deleteTag }),
  ofName({ method: 'GET', kind: 'tag json', needs: 'read', handle: getTagJson }),
]

/** The image name, and the tag when it is about one. */
function namedIn(resource: V1Resource): { readonly image: ImageName; readonly tag: Tag | undefined } {
  if (!('image' in resource)) throw new TypeError(`a ${resource.kind} is of no image name`)
  return { image: resource.image, tag: 'tag' in resource ? resource.tag : undefined }
}

function ofKind<kind extends V1Kind>(request: V1Request, kind: kind): V1Request<kind> {
  if (request.resource.kind !== kind) throw new TypeError(`a row for ${kind} was given a ${request.resource.kind}`)
  return request as V1Request<kind>
}

/** Of a repository that there is. Throws NAME_UNKNOWN. */
function keyOf({ services, address: { key } }: V1Request): RepositoryKey {
  if (key === undefined)
    throw new RegistryError('NAME_UNKNOWN', {
      message:
        'images of the V1 API say nothing of the repository that they are in: use the host or the port of the repository itself',
    })
  const found = services.repositories.findV1(key) ?? services.repositories.find(key)
  if (found) return found.key
  throw new RegistryError('NAME_UNKNOWN', { message: `there is no repository "${key}"` })
}

/**
 * Throws NAME_UNKNOWN where the V1 API has no images. Docker 1.6 to 1.9 ask here when the V2 API has refused them, and show this answer: so
 * who has to log in has been told before.
 */
function repositoryOf({ services }: V1Request, key: RepositoryKey): V1Repository {
  const repository = services.repositories.findV1(key)
  if (repository) return repository
  throw new RegistryError('NAME_UNKNOWN', {
    message: `the repository ${key} speaks the V2 API: use docker 1.6 or newer`,
  })
}
