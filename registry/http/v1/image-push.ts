import { RegistryError } from '../../domain/errors.ts'
import { parseV1Image } from '../../domain/v1-image.ts'
import type { Context } from '../context.ts'
import { declaredLength, openBody } from '../request-body.ts'
import { done, ignoreBody, readSmallBody } from './answer.ts'
import { pusherOf, type RepositoryCall } from './call.ts'

/** The first of three steps. */
export async function putJson(ctx: Context, call: RepositoryCall<'image json'>): Promise<void> {
  await call.repository.local.admit(declaredLength(ctx) ?? 0)
  const image = parseV1Image(await readSmallBody(ctx))
  if (image.id !== call.resource.id)
    throw new RegistryError('MANIFEST_INVALID', { message: `JSON data contains invalid id: the path has another one` })
  await call.repository.pushes.putJson(image, pusherOf(call))
  done(ctx)
}

/** The second: the bytes as they are kept and given out, most often gzip. */
export async function putLayer(ctx: Context, call: RepositoryCall<'image layer'>): Promise<void> {
  await call.repository.local.admit(declaredLength(ctx) ?? 0)
  await call.repository.pushes.putLayer(call.resource.id, openBody(ctx), pusherOf(call))
  done(ctx)
}

/** The third, which makes the image visible. */
export async function putChecksum(ctx: Context, call: RepositoryCall<'image checksum'>): Promise<void> {
  await ignoreBody(ctx)
  const payload = payloadOf(ctx)
  const tarsum = ctx.get('X-Docker-Checksum') || undefined
  await call.repository.pushes.putChecksum(call.resource.id, { payload, tarsum }, pusherOf(call))
  done(ctx)
}

/** Throws PRECONDITION_FAILED without one, as docker's own V1 registry does. */
function payloadOf(ctx: Context): string {
  const payload = ctx.get('X-Docker-Checksum-Payload').trim()
  if (payload !== '') return payload
  throw new RegistryError('PRECONDITION_FAILED', {
    message: 'the header X-Docker-Checksum-Payload is missing: expected sha256:<64 hex digits>',
  })
}
