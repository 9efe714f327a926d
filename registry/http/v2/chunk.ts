import type { ByteRange } from '../../../wire/byte-range.ts'
import type { Context } from '../context.ts'
import { declaredLength, ofLength, openBody, wrongLength } from '../request-body.ts'
import { parseContentRange } from './content-range.ts'

/** What `Content-Range` says of the body; undefined without it. Throws BAD_REQUEST, and SIZE_INVALID when it cannot be. */
export function announcedChunk(ctx: Context): ByteRange | undefined {
  const chunk = parseContentRange(ctx.req.headers['content-range'])
  const declared = declaredLength(ctx)
  if (chunk && declared !== undefined && declared !== lengthOf(chunk))
    throw wrongLength(lengthOf(chunk), String(declared))
  return chunk
}

/** A chunked body shows its length only while it is read. */
export function chunkBytes(ctx: Context, chunk: ByteRange | undefined): AsyncIterable<Buffer> {
  const body = openBody(ctx)
  return chunk && declaredLength(ctx) === undefined ? ofLength(body, lengthOf(chunk)) : body
}

function lengthOf({ first, last }: ByteRange): number {
  return last - first + 1
}
