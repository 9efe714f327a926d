import type { IncomingMessage } from 'node:http'
import { RegistryError } from '../domain/errors.ts'
import type { Context } from './context.ts'

const awaitingContinue = new WeakSet<IncomingMessage>()

/** For `server.on('checkContinue')`: the client keeps the body back until {@link openBody} lets it go on. */
export function expectContinue(request: IncomingMessage): void {
  awaitingContinue.add(request)
}

/**
 * For an answer that does not wait for the body. Node closes the connection after it when the client asked for that, or
 * waits for 100 Continue; but bytes that reach a closed socket reset the connection, and the client loses the answer with
 * it. So the body is read out first, and whoever asked to close does so then.
 */
export function answerEarly({ req, res }: Context): void {
  if (req.complete) return
  if (/\bclose\b/i.test(req.headers.connection ?? '')) req.once('end', () => req.socket.destroySoon())
  res.setHeader('Connection', 'keep-alive')
}

export function hasBody(ctx: Context): boolean {
  return ctx.req.headers['transfer-encoding'] !== undefined || (declaredLength(ctx) ?? 0) > 0
}

/** `Content-Length`; undefined for a chunked body. */
export function declaredLength(ctx: Context): number | undefined {
  const length = ctx.req.headers['content-length']
  return length === undefined ? undefined : Number(length)
}

/**
 * The body, for one reader, who may stop early: what is left is read out after the answer. Fails when the client goes away.
 */
export function openBody(ctx: Context): AsyncIterable<Buffer> {
  const { req, res } = ctx
  if (awaitingContinue.delete(req)) res.writeContinue()
  res.once('finish', () => req.resume())
  // Destroying a request destroys its socket, and with it the answer that says what went wrong.
  return req.iterator({ destroyOnReturn: false })
}

/** Throws what `tooLarge` makes, before reading when the length is declared, else as soon as the body is larger. */
export async function readBody(ctx: Context, maxBytes: number, tooLarge: () => RegistryError): Promise<Buffer> {
  if ((declaredLength(ctx) ?? 0) > maxBytes) throw tooLarge()
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of openBody(ctx)) {
    size += chunk.length
    if (size > maxBytes) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}

/** The same bytes; fails with SIZE_INVALID as soon as there are more, or in the end fewer, than `length`. */
export async function* ofLength(bytes: AsyncIterable<Buffer>, length: number): AsyncGenerator<Buffer> {
  let seen = 0
  for await (const chunk of bytes) {
    seen += chunk.length
    if (seen > length) throw wrongLength(length, 'more')
    yield chunk
  }
  if (seen < length) throw wrongLength(length, String(seen))
}

export function wrongLength(announced: number, actual: string): RegistryError {
  return new RegistryError('SIZE_INVALID', {
    message: `the Content-Range announces ${announced} bytes, the body has ${actual}`,
  })
}
