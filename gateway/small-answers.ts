import type { IncomingMessage } from 'node:http'

const maxBytes = 64 * 1024

/** Whether the rest of an answer is worth waiting for before anything of it is sent. */
export function isSmall({ headers, statusCode }: IncomingMessage, method: string | undefined): boolean {
  if (method === 'HEAD' || statusCode === 204 || statusCode === 304) return true
  const length = headers['content-length']
  return length !== undefined && Number(length) <= maxBytes
}

/**
 * Calls back with the whole of a small answer, or with what broke it off. Most answers of a registry are small, and a
 * `pipeline` for each would cost a tenth of all that the gateway does for them.
 */
export function collect(incoming: IncomingMessage, done: (error: Error | undefined, bytes: Buffer) => void): void {
  const chunks: Buffer[] = []
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
  incoming.on('end', () => done(undefined, chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)))
  incoming.on('error', (error) => done(error, Buffer.alloc(0)))
}
