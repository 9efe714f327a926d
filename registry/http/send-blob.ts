import { selectBytes, type ByteRange } from '../../wire/byte-range.ts'
import type { Digest } from '../domain/digest.ts'
import { RegistryError } from '../domain/errors.ts'
import type { BlobHandle, Growth } from '../repositories/repository.ts'
import type { Context } from './context.ts'
import { Progress } from './progress.ts'
import { growingHeaders, sendfileHeader } from './sendfile.ts'
import { empty } from './v2/empty.ts'

/** Answers with the bytes, or with those that a range or a condition asks for, or has the peer do that. Throws RANGE_INVALID. */
export async function sendBlob(ctx: Context, blob: BlobHandle, digest: Digest): Promise<void> {
  const etag = `"${digest}"`
  ctx.set('ETag', etag)
  ctx.set('Accept-Ranges', 'bytes')
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
