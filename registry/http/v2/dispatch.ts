import { RegistryError } from '../../domain/errors.ts'
import type { Action } from '../../domain/permissions.ts'
import type { Context } from '../context.ts'
import { endpointFor, tableOf } from '../endpoint-table.ts'
import type { Services } from '../services.ts'
import { findRepository, resolveNameFor, type V2Address } from './address.ts'
import { authorise, authoriseRegistry } from './authorise.ts'
import type { ImageKind, RegistryKind, Request } from './call.ts'
import { imageEndpoints, registryEndpoints, type ImageEndpoint, type RegistryEndpoint } from './endpoints.ts'
import { readerOf } from './reader.ts'
import { parseResource, type Resource, type ResourceKind } from './resource.ts'

/** On every answer below `/v2`, refusals too: clients take another server for a registry of the V1 API. */
export function nameApi(ctx: Context): void {
  ctx.set('Docker-Distribution-API-Version', 'registry/2.0')
}

/** Answers a request to the V2 API, or throws what it is to be answered with. */
export async function answerV2(ctx: Context, services: Services, address: V2Address): Promise<void> {
  refuseV1(services, address.key)
  if (!isProbeOfDocker15(ctx, address)) nameApi(ctx)
  const resource = parseResource(address.rest)
  if (!resource)
    throw new RegistryError('NAME_UNKNOWN', { message: `the V2 API has nothing at ${ctx.state.target.path}` })

  if ('name' in resource) return answerImage(ctx, { services, address, resource }, resource)
  const endpoint = endpointFor(ctx, registryTable, resource.kind)
  const request: Request<RegistryKind> = { services, address, resource }
  const caller = await authoriseRegistry(ctx, request, endpoint.needs)
  await endpoint.handle(ctx, { ...request, caller })
}

/**
 * Docker 1.5 names layers by tarsums in the V2 API, so that it cannot push, and it goes to the V1 API only where it finds no V2. Nobody else
 * asks so: it is built with Go 1.3, and this is the one request in which it does not say who it is (registry/endpoint.go, pingV2).
 */
function isProbeOfDocker15(ctx: Context, { rest }: V2Address): boolean {
  return rest === '' && ctx.get('User-Agent') === 'Go 1.1 package http'
}

/** Without the header that names the V2 API: else docker would not go on and try V1. */
function refuseV1({ repositories }: Services, key: string | undefined): void {
  if (key === undefined || !repositories.findV1(key)) return
  throw new RegistryError('NAME_UNKNOWN', {
    message: `the repository ${key} speaks the V1 API alone, as docker 1.3 to 1.9 do`,
    detail: { repository: key },
  })
}

async function answerImage(
  ctx: Context,
  request: Request<ImageKind>,
  resource: Extract<Resource, { readonly name: string }>,
): Promise<void> {
  const endpoint = endpointFor(ctx, imageTable, resource.kind)
  const namespace = namespaceIn(ctx.state.target.query)
  const named = resolveNameFor(request.services.repositories, request.address, resource.name, namespace)
  const tag = resource.kind === 'manifest' && 'tag' in resource.reference ? resource.reference.tag : undefined
  const wish = { ...named, tag, actions: actionsFor(ctx, endpoint) }
  refuseV1(request.services, named.repository)
  const authorised = await authorise(ctx, request, wish)
  const repository = findRepository(request.services.repositories, named.repository).seenBy(
    readerOf(request.services, authorised.caller, namespace),
  )
  if (namespace !== undefined && repository.kind !== 'local') ctx.set('OCI-Namespace', namespace)
  await endpoint.handle(ctx, { ...request, ...authorised, repository, image: named.image })
}

/** The registry that containerd takes us for a mirror of. The answer repeats it, so it is nothing but a host. Throws BAD_REQUEST. */
function namespaceIn(query: string): string | undefined {
  const namespace = new URLSearchParams(query).get('ns') ?? undefined
  if (namespace === undefined || /^[A-Za-z0-9.:[\]_-]{1,255}$/.test(namespace)) return namespace
  throw new RegistryError('BAD_REQUEST', {
    message: 'the query parameter ns is not a registry: expected its host name, like docker.io',
  })
}

/**
 * A client that pushes asks by HEAD what it need not send: who may deploy may know that, and need not be let read it. Lists are none of
 * it: the head of an answer has the next page's name.
 */
function actionsFor(ctx: Context, { kind, needs }: ImageEndpoint): readonly [Action, ...Action[]] {
  const isPushed = kind === 'manifest' || kind === 'blob'
  return ctx.method === 'HEAD' && isPushed ? ['read', 'deploy'] : [needs]
}

const imageTable = tableOf<ResourceKind, ImageEndpoint>(imageEndpoints)
const registryTable = tableOf<ResourceKind, RegistryEndpoint>(registryEndpoints)
