import { Readable } from 'node:stream'
import { RegistryError } from '../../domain/errors.ts'
import { emptyLayer, emptyLayerDigest } from '../../domain/schema1/empty-layer.ts'
import { isReachable } from '../../repositories/reachable.ts'
import type { BlobHandle } from '../../repositories/repository.ts'
import type { Context } from '../context.ts'
import { sendBlob } from '../send-blob.ts'
import { changedBy } from './access.ts'
import { removalOf, type ImageCall } from './call.ts'
import { showCache } from './cache-headers.ts'
import { empty } from './empty.ts'
import { logChange } from './log-change.ts'

/** end-2. `HEAD` comes here too. */
export async function getBlob(ctx: Context, call: ImageCall<'blob'>): Promise<void> {
  const { digest } = call.resource
  const blob = await findBlob(ctx, call)
  if (!blob) throw blobUnknown(call)

  ctx.set('Docker-Content-Digest', digest)
  if (blob.cache) showCache(ctx, blob.cache)
  await sendBlob(ctx, blob, digest)
}

/** Undefined also when the caller cannot come to it. */
async function findBlob(ctx: Context, call: ImageCall<'blob'>): Promise<BlobHandle | undefined> {
  const { repository, image, resource, allowed } = call
  // Converted manifests name it; who pushes it may rely on it too, see LocalRepository.
  if (resource.digest === emptyLayerDigest) return emptyLayerBlob
  const blob = await repository.blob(image, resource.digest, { use: ctx.method === 'HEAD' ? 'rely' : 'read' })
  return blob && (await isReachable(repository, call, resource.digest, allowed)) ? blob : undefined
}

const emptyLayerBlob: BlobHandle = {
  size: emptyLayer.byteLength,
  open: async ({ first, last } = { first: 0, last: emptyLayer.byteLength - 1 }) =>
    Readable.from([emptyLayer.subarray(first, last + 1)]),
  path: () => undefined,
}

/** end-10. */
export async function deleteBlob(ctx: Context, call: ImageCall<'blob'>): Promise<void> {
  const { digest } = call.resource
  const removal = removalOf(call)
  if (!(await isReachable(changedBy(call.repository), call, digest, call.allowed))) throw blobUnknown(call)
  if (!(await removal.deleteBlob(call.image, digest))) throw blobUnknown(call)
  logChange(ctx, call, 'blob deleted', { digest })
  ctx.status = 202
  empty(ctx)
}

function blobUnknown({ image, resource: { digest } }: ImageCall<'blob'>): RegistryError {
  return new RegistryError('BLOB_UNKNOWN', { detail: { image, digest } })
}
