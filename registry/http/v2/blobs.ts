import { RegistryError } from '../../domain/errors.ts'
import { isReachable } from '../../repositories/reachable.ts'
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
  const blob = await call.repository.blob(call.image, digest, { use: ctx.method === 'HEAD' ? 'rely' : 'read' })
  if (!blob || !(await isReachable(call.repository, call, digest, call.allowed))) throw blobUnknown(call)

  ctx.set('Docker-Content-Digest', digest)
  if (blob.cache) showCache(ctx, blob.cache)
  await sendBlob(ctx, blob, digest)
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
