import type { ClientRequest, IncomingMessage } from 'node:http'
import { Stream } from 'node:stream'
import { createProxyServer } from 'http-proxy'
import type { Logger } from 'pino'
import { challengeHeader } from '../wire/challenge.ts'
import { sendfileByPath, sendfileOffer } from '../wire/sendfile.ts'
import { Answer } from './answer.ts'
import { BatchedBody } from './batched-body.ts'
import { deliver } from './deliver.ts'
import { forwardedHeaders } from './forwarded-headers.ts'
import { endIdle } from './idle.ts'
import { refuse } from './refusal.ts'
import type { Sendfile } from './sendfile.ts'
import { noAnswer } from './upstream-refusals.ts'
import type { Upstream } from './upstream.ts'

export interface Forwarding {
  readonly upstream: Upstream
  readonly idleMs: number
  /** Undefined when files are not sent from here. */
  readonly sendfile: Sendfile | undefined
  readonly log: Logger
}

/** Puts the request to the upstream, and its answer to the client. */
export type Forward = (answer: Answer, upstreamTarget: string) => void

const connectMs = 10_000

/**
 * The one place that knows http-proxy. It makes the upstream request and ties its life to the client's; the answer is
 * ours to deliver, because the package's own way leaves the client of a truncated answer waiting for ever.
 */
export function createForward({ upstream, idleMs, sendfile, log }: Forwarding): Forward {
  const proxy = createProxyServer<typeof IncomingMessage, typeof Answer, NodeJS.ErrnoException>({
    target: upstream.target,
    agent: upstream.agent,
    selfHandleResponse: true,
    connectTimeout: connectMs,
    prependPath: false,
    toProxy: true,
  })

  proxy.on('proxyReq', (outgoing, _request, answer, _options, socket) => {
    answer.upstream = { request: outgoing, socket, bytesReadBefore: socket.bytesRead, startedAt: performance.now() }
    outgoing.setTimeout(idleMs, () => endIdle(answer, 'upstream'))
    // Nobody asked for another protocol; without a listener Node drops the connection and says nothing.
    outgoing.once('upgrade', (_incoming, socket) => {
      socket.destroy()
      refuse(answer, noAnswer(upstream))
    })
    if (answer.expectation === 'continue' && !outgoing.headersSent) passOnExpectation(outgoing, answer)
  })

  proxy.on('proxyRes', (incoming, request, answer) => {
    const { arrival, match, upstream: part } = answer
    if (answer.headersSent || answer.destroyed || !arrival || !part) {
      incoming.destroy()
      return
    }
    answer.upstreamMs = performance.now() - part.startedAt
    answer.isUpstreams = true
    try {
      deliver(incoming, answer, { sendfile, mapping: { arrival, match, upstreamHost: upstream.authority }, log })
    } catch (error) {
      log.error({ err: error, path: request.url }, 'the answer of the upstream could not be passed on')
      incoming.destroy()
      refuse(answer, noAnswer(upstream))
    }
  })

  proxy.on('error', (error, request, answer) => {
    if (!(answer instanceof Answer) || answer.isUpstreams || answer.headersSent || answer.destroyed) return
    if (mayRetry(answer, error)) {
      answer.hasRetried = true
      proxy.web(request, answer, { ...withoutBody, agent: upstream.freshAgent })
      return
    }
    log.error({ err: error, upstream: upstream.name }, 'no answer from the upstream')
    refuse(answer, noAnswer(upstream, error))
  })

  return (answer, upstreamTarget) => {
    const { req: request, arrival, match } = answer
    if (!arrival) throw new Error('only what has arrived is forwarded')
    const headers = forwardedHeaders(request.headers, arrival)
    if (sendfile && request.method === 'GET') headers[sendfileOffer] = sendfileByPath
    if (match?.kind === 'repository' && match.challenge) headers[challengeHeader] = match.challenge
    // Node's client would else send an empty chunked body, which some upstreams refuse.
    if (!arrival.hasBody && request.method !== 'GET' && request.method !== 'HEAD') headers['content-length'] = '0'
    request.headers = headers
    request.url = upstreamTarget
    if (arrival.hasBody) proxy.web(request, answer, { buffer: new BatchedBody(request) })
    else proxy.web(request, answer, withoutBody)
  }
}

/** What http-proxy takes for the request's body when there is none: saves a pipe. */
class NoBody extends Stream {
  override pipe<destination extends NodeJS.WritableStream>(destination: destination): destination {
    destination.end()
    return destination
  }
}
const withoutBody = { buffer: new NoBody() }

/** The client sends its body only when the upstream would take it; http-proxy forgets to tell when Expect is forwarded. */
function passOnExpectation(outgoing: ClientRequest, answer: Answer): void {
  outgoing.setHeader('Expect', '100-continue')
  outgoing.flushHeaders()
  outgoing.once('continue', () => {
    if (!answer.headersSent) answer.writeContinue()
  })
}

/** RFC 9110 §9.2.2: only what changes nothing, and only when a kept connection was closed as the request went out. */
function mayRetry({ arrival, hasRetried, req, upstream }: Answer, { code }: NodeJS.ErrnoException): boolean {
  if (hasRetried || arrival?.hasBody || (req.method !== 'GET' && req.method !== 'HEAD') || !upstream) return false
  const nothingReceived = upstream.socket.bytesRead === upstream.bytesReadBefore
  return upstream.request.reusedSocket && nothingReceived && (code === 'ECONNRESET' || code === 'EPIPE')
}
