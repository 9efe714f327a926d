import type { Readable } from 'node:stream'
import { wrong } from './failures.ts'

/** All of it, unless it is more than that; never trusts what was announced. Rejects with an UpstreamFailure. */
export async function readBody(body: Readable, maxBytes: number, what: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > maxBytes) throw wrong(`${what}: the answer is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}
