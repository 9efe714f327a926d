import { RegistryError } from '../../domain/errors.ts'
import type { Context } from '../context.ts'
import { openBody, readBody } from '../request-body.ts'

export function answerV1Json(ctx: Context, value: unknown): void {
  ctx.status = 200
  ctx.set('Content-Type', 'application/json')
  ctx.body = JSON.stringify(value)
}

/** What docker's own V1 registry says when there is nothing to say. */
export function done(ctx: Context): void {
  answerV1Json(ctx, true)
}

/** What never changes is for whoever may have it, and for no cache in between. Called last: an error keeps the headers that are there. */
export function isForEver(ctx: Context): void {
  ctx.set('Cache-Control', 'private, max-age=31536000')
}

/** Lists of ten thousand images, or the JSON of one, are smaller. */
const maxJsonBytes = 4 * 1024 * 1024

/** The body's bytes. Throws BAD_REQUEST, SIZE_INVALID. */
export async function readSmallBody(ctx: Context): Promise<Buffer> {
  return readBody(ctx, maxJsonBytes, () => {
    const message = `the body is larger than the ${maxJsonBytes} bytes that are accepted here`
    return new RegistryError('MANIFEST_TOO_LARGE', { message })
  })
}

export async function readBodyJson(ctx: Context): Promise<unknown> {
  const bytes = await readSmallBody(ctx)
  try {
    return JSON.parse(bytes.toString()) as unknown
  } catch (cause) {
    throw new RegistryError('BAD_REQUEST', { message: 'Error Decoding JSON', cause })
  }
}

/** Docker sends `[]` or nothing where there is nothing to tell. */
export async function ignoreBody(ctx: Context): Promise<void> {
  for await (const _chunk of openBody(ctx)) continue
}
