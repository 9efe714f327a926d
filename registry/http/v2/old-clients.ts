import { RegistryError } from '../../domain/errors.ts'
import type { Tag } from '../../domain/names.ts'
import { isSchema1Type } from '../../domain/schema1/media-types.ts'
import type { FoundManifest } from '../../repositories/repository.ts'
import type { Context } from '../context.ts'
import { publicName, publicView, type ImageCall } from './call.ts'

/**
 * The manifest as the client can read it: docker 1.6 to 1.9 know of schema 1 alone, and name no media type. What cannot be told in it they
 * are told not to be there, and why; others that name none may well know what to do with it.
 */
export async function forOldClients(
  ctx: Context,
  call: ImageCall<'manifest'>,
  manifest: FoundManifest,
  tag: Tag,
): Promise<FoundManifest> {
  ctx.vary('Accept')
  if (isSchema1Type(manifest.mediaType) || !knowsSchema1Alone(ctx.req.headers.accept)) return manifest
  const { repository, image, services } = call
  const name = publicName(publicView(ctx, call), repository.key, image)
  const converted = await services.schema1.convert({ repository, image, manifest, as: { name, tag } })
  if (!('problem' in converted)) return converted
  if (!isOldDocker(ctx.req.headers['user-agent'])) return manifest
  throw new RegistryError('MANIFEST_UNKNOWN', {
    message: `${image}:${tag} cannot be converted for docker before 1.10: ${converted.problem}`,
    detail: { image, tag },
    cause: converted.cause,
  })
}

/** Weights are not looked at: who names another type can read it. */
function knowsSchema1Alone(accept = ''): boolean {
  const types = accept.split(',').map((type) => type.replace(/;.*$/s, '').trim().toLowerCase())
  return types.every((type) => type === '' || type === 'application/json' || isSchema1Type(type))
}

function isOldDocker(userAgent = ''): boolean {
  return userAgent.startsWith('docker/1.')
}
