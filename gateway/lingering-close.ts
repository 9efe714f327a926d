import type { IncomingMessage } from 'node:http'
import { awaitsBody, type Answer } from './answer.ts'

/** An answer that comes while the client is still sending: how long and how much is read on for its sake. */
const maxBytes = 64 * 1024 * 1024
const maxMs = 30_000
const maxSilenceMs = 5_000

/** Sends the head and all of the body, and ends the answer when the client can have read it. */
export function endAnswer(answer: Answer, status: number, headers: string[], body: Uint8Array): void {
  if (!awaitsBody(answer)) {
    answer.writeHead(status, headers)
    if (answer.req.method !== 'HEAD') answer.bodyBytes = body.length
    answer.end(body)
    return
  }
  answer.writeHead(status, [...headers, 'Connection', 'close'])
  answer.write(body)
  void discardBody(answer.req).then(() => answer.end())
}

/**
 * Reads and drops what the client still sends of its body; resolves at its end or when that was enough. A connection
 * closed with unread bytes is reset by the kernel, and the reset destroys the answer before the client has read it
 * (RFC 9112 §9.6). So an early answer is not ended before this is done.
 */
export function discardBody(request: IncomingMessage): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  let left = maxBytes
  const finish = () => {
    clearTimeout(deadline)
    clearTimeout(silence)
    request.off('data', count).off('end', finish).off('close', finish)
    resolve(undefined)
  }
  const count = (chunk: Uint8Array) => {
    silence.refresh()
    left -= chunk.length
    if (left < 0) finish()
  }
  const deadline = setTimeout(finish, maxMs)
  const silence = setTimeout(finish, maxSilenceMs)
  request.unpipe()
  request.on('data', count).on('end', finish).on('close', finish)
  request.resume()
  return promise
}
