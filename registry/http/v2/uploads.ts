import { RegistryError } from '../../domain/errors.ts'
import { parseDigest, type Digest } from '../../domain/digest.ts'
import { isUploadId, type UploadId } from '../../domain/upload-id.ts'
import type { Context } from '../context.ts'
import { declaredLength, hasBody } from '../request-body.ts'
import { noteShown } from './access.ts'
import { announcedChunk, chunkBytes } from './chunk.ts'
import { formatReceived } from './content-range.ts'
import { publicUrl, pushTargetOf, type ImageCall } from './call.ts'
import { empty } from './empty.ts'
import { logChange } from './log-change.ts'

/** end-5: the next chunk, or with docker the whole blob as a stream. */
export async function appendChunk(ctx: Context, call: ImageCall<'upload'>): Promise<void> {
  const id = uploadIdOf(call)
  const total = await append(ctx, call, id)
  setProgress(ctx, call, id, total)
  ctx.status = 202
  empty(ctx)
}

/** end-6: perhaps the last chunk, and what the bytes are to be. A wrong digest leaves the upload as it is. */
export async function finishUpload(ctx: Context, call: ImageCall<'upload'>): Promise<void> {
  const id = uploadIdOf(call)
  const digest = digestParameter(ctx)
  if (hasBody(ctx)) setProgress(ctx, call, id, await append(ctx, call, id))
  await pushTargetOf(call).finish(call.image, id, digest)
  await answerBlob(ctx, call, digest)
}

/** end-13: how far the upload is, for a client that wants to go on. */
export async function getUpload(ctx: Context, call: ImageCall<'upload'>): Promise<void> {
  const id = uploadIdOf(call)
  setProgress(ctx, call, id, await pushTargetOf(call).received(call.image, id))
  ctx.status = 204
}

/** end-14 of OCI distribution 1.1.1. */
export async function cancelUpload(ctx: Context, call: ImageCall<'upload'>): Promise<void> {
  await pushTargetOf(call).cancel(call.image, uploadIdOf(call))
  ctx.status = 204
}

async function append(ctx: Context, call: ImageCall<'upload'>, id: UploadId): Promise<number> {
  const target = pushTargetOf(call)
  const received = await target.received(call.image, id)
  // OCI distribution 1.1, "Pushing a blob in chunks": a chunk out of order MUST be answered 416. These headers stay on
  // that answer, and tell the client where to go on.
  setProgress(ctx, call, id, received)
  const chunk = announcedChunk(ctx)
  if (chunk && chunk.first !== received)
    throw new RegistryError('BLOB_UPLOAD_INVALID', {
      message: `the chunk starts at ${chunk.first}, the upload has ${received} bytes`,
    })
  await target.admit(declaredLength(ctx) ?? 0)
  return target.append(call.image, id, received, chunkBytes(ctx, chunk))
}

export function setProgress(ctx: Context, call: ImageCall<'uploads' | 'upload'>, id: UploadId, received: number): void {
  ctx.set('Location', publicUrl(ctx, call, `blobs/uploads/${id}`))
  ctx.set('Range', formatReceived(received))
  ctx.set('Docker-Upload-UUID', id)
}

/** containerd and BuildKit take a push for failed without the digest. */
export async function answerBlob(ctx: Context, call: ImageCall<'uploads' | 'upload'>, digest: Digest): Promise<void> {
  await noteShown(call, digest)
  logChange(ctx, call, 'blob pushed', { digest })
  ctx.remove('Range')
  ctx.remove('Docker-Upload-UUID')
  ctx.status = 201
  ctx.set('Location', publicUrl(ctx, call, `blobs/${digest}`))
  ctx.set('Docker-Content-Digest', digest)
  empty(ctx)
}

function digestParameter(ctx: Context): Digest {
  const digest = new URLSearchParams(ctx.state.target.query).get('digest')
  if (digest !== null) return parseDigest(digest)
  throw new RegistryError('DIGEST_INVALID', { message: 'the query parameter digest is missing' })
}

function uploadIdOf({ resource: { id } }: ImageCall<'upload'>): UploadId {
  if (isUploadId(id)) return id
  throw new RegistryError('BLOB_UPLOAD_UNKNOWN', { detail: { upload: id } })
}
