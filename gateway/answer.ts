import { ServerResponse, type ClientRequest, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Listener } from './config.ts'
import type { Match } from './routes.ts'

/** Where the request came from and what it asked for, found out once, at the door. */
export interface Arrival {
  readonly id: string
  readonly listener: Listener
  /** Of the client, behind any trusted proxy. */
  readonly remoteAddress: string
  readonly scheme: 'http' | 'https'
  /** The Host header, or what a trusted proxy says it was. */
  readonly host: string
  /** Of the address that the client knows, which is not always one of ours. */
  readonly port: number
  /** `X-Forwarded-For` for upstream. */
  readonly forwardedFor: string
  /** As the client sent it. */
  readonly target: string
  readonly hasBody: boolean
}

/** What the gateway knows of the upstream's part in an answer. */
export interface UpstreamPart {
  readonly request: ClientRequest
  readonly socket: Socket
  /** What the socket had received before: more means that this request was being answered. */
  readonly bytesReadBefore: number
  readonly startedAt: number
}

/** The answer to one request, and all that is remembered until it is given. */
export class Answer<request extends IncomingMessage = IncomingMessage> extends ServerResponse<request> {
  readonly startedAt: number = performance.now()
  arrival: Arrival | undefined = undefined
  match: Match | undefined = undefined
  /** What its `Expect` header asks for. */
  expectation: 'nothing' | 'continue' | 'unknown' = 'nothing'
  upstream: UpstreamPart | undefined = undefined
  /** From here on it is the upstream's answer, and errors of its connection show in that. */
  isUpstreams = false
  hasRetried = false
  /** Its bytes are sent as the upstream says that they are there. */
  followsGrowth = false
  upstreamMs: number | undefined = undefined
  bodyBytes = 0

  override write(
    chunk: string | Uint8Array,
    encoding?: BufferEncoding | ((error: Error | null | undefined) => void),
    callback?: (error: Error | null | undefined) => void,
  ): boolean {
    this.bodyBytes += chunk.length
    return typeof encoding === 'function'
      ? super.write(chunk, encoding)
      : super.write(chunk, encoding ?? 'utf8', callback)
  }
}

/** Whether bytes of the request's body are still to come from the client. */
export function awaitsBody(answer: Answer): boolean {
  return answer.arrival?.hasBody === true && !answer.req.complete
}
