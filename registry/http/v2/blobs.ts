import { Readable } from 'node:stream'
import { selectBytes, type ByteRange } from '../../../wire/byte-range.ts'
import { RegistryError } from '../../domain/errors.ts'
import { emptyLayer, emptyLayerDigest } from '../../domain/schema1/empty-layer.ts'
import { isReachable } from '../../repositories/reachable.ts'
import type { BlobHandle, Growth } from '../../repositories/repository.ts'
import type { Context } from '../context.ts'
import { Progress } from '../progress.ts'
import { growingHeaders, sendfileHeader } from '../sendfile.ts'
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

  const etag = `"${digest}"`
  ctx.set('Docker-Content-Digest', digest)
  ctx.set('ETag', etag)
  ctx.set('Accept-Ranges', 'bytes')
  if (blob.cache) showCache(ctx, blob.cache)
  if (leaveToPeer(ctx, blob)) return

  const selection = selectBytes(ctx.method, ctx.req.headers, etag, blob.size)
  switch (selection.status) {
    case 200:
      return send(ctx, blob, undefined)
    case 206:
      return send(ctx, blob, selection.range)
    case 416:
      ctx.set('Content-Range', `bytes */${blob.size}`)
      throw new RegistryError('RANGE_INVALID', { detail: { size: blob.size } })
    case 304:
    case 412:
      ctx.status = selection.status
      empty(ctx)
  }
}

/** Undefined also when the caller cannot come to it. */
async function findBlob(ctx: Context, call: ImageCall<'blob'>): Promise<BlobHandle | undefined> {
  const { repository, image, resource, allowed } = call
  // Converted manifests name it. HEAD tells what the image has: whoever pushes it relies on that.
  if (ctx.method === 'GET' && resource.digest === emptyLayerDigest) return emptyLayerBlob
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

/** The bytes then go from the file to the client without us; ranges and conditions are the peer's too. */
function leaveToPeer(ctx: Context, blob: BlobHandle): boolean {
  if (ctx.method !== 'GET') return false
  if (blob.growth) return leaveGrowing(ctx, blob.growth, blob.size)
  const path = blob.path()
  const sendfile = path === undefined ? undefined : sendfileHeader(path, ctx.state.trust, ctx.req.headers)
  if (!sendfile) return false
  ctx.status = 200
  ctx.set(sendfile.name, sendfile.value)
  ctx.set('Content-Type', 'application/octet-stream')
  ctx.body = Buffer.alloc(0)
  return true
}

/** The file is not all there, and not known to be right: nobody but our gateway knows what to do with that. */
function leaveGrowing(ctx: Context, growth: Growth, size: number): boolean {
  const headers = growingHeaders(growth, size, ctx.state.trust, ctx.req.headers)
  if (!headers) return false
  ctx.status = 200
  ctx.set(headers)
  ctx.set('Content-Type', 'application/octet-stream')
  ctx.body = new Progress(growth, size)
  ctx.flushHeaders() // conditions and ranges are answered before the first byte is there
  return true
}

async function send(ctx: Context, blob: BlobHandle, range: ByteRange | undefined): Promise<void> {
  const bytes = ctx.method === 'GET' ? await blob.open(range) : undefined // may fail: before anything says that it worked
  ctx.status = range ? 206 : 200
  ctx.set('Content-Type', 'application/octet-stream')
  if (range) ctx.set('Content-Range', `bytes ${range.first}-${range.last}/${blob.size}`)
  ctx.length = range ? range.last - range.first + 1 : blob.size
  if (!bytes) return
  ctx.body = bytes
  // Its first byte may be long in coming, and what fails before that has been found nevertheless.
  if (blob.cache?.kind === 'miss') ctx.flushHeaders()
}

function blobUnknown({ image, resource: { digest } }: ImageCall<'blob'>): RegistryError {
  return new RegistryError('BLOB_UNKNOWN', { detail: { image, digest } })
}
