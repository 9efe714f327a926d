import http, { type IncomingMessage, type Server } from 'node:http'
import https from 'node:https'
import { Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { Logger } from 'pino'
import { Answer } from './answer.ts'
import type { Listener } from './config.ts'
import { enter, type Gate } from './gate.ts'
import { rawRefusal, refuse, type Refusal } from './refusal.ts'
import type { ServerCertificates } from './server-certificates.ts'

/** How long a client may take, and how much it may send, before it has said what it wants. */
const limits = {
  headersTimeout: 30_000,
  // A push may take hours; what stands still is ended by the idle time.
  requestTimeout: 0,
  connectionsCheckingInterval: 5_000,
  // Longer than the 30 s of the clients and the 60 s of load balancers: who closes first must be the other side.
  keepAliveTimeout: 75_000,
  maxHeaderSize: 32 * 1024,
  highWaterMark: 256 * 1024,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
  // A missing Host is refused by us, in JSON.
  requireHostHeader: false,
} as const
const tlsLimits = { handshakeTimeout: 10_000, sessionTimeout: 3600, sessionIdContext: 'caisson' } as const

export interface ServerParts {
  readonly listener: Listener
  readonly gate: Gate
  readonly certificates: ServerCertificates
  readonly ticketKeys: Buffer
  readonly idleMs: number
  readonly log: Logger
}

export type GatewayServer = Server<typeof IncomingMessage, typeof Answer>
export type SecureServer = https.Server<typeof IncomingMessage, typeof Answer>

/** An HTTP server for one listener of the configuration, not yet listening. */
export function createServer({
  listener,
  gate,
  certificates,
  ticketKeys,
  idleMs,
  log,
}: ServerParts): GatewayServer | SecureServer {
  const server = listener.tls
    ? https.createServer<typeof IncomingMessage, typeof Answer>({
        ...limits,
        ...tlsLimits,
        ...certificates.fallback(),
        ServerResponse: Answer,
        ticketKeys,
        ALPNProtocols: ['http/1.1', 'http/1.0'], // whoever offers none of these is refused by OpenSSL
        SNICallback: (name, done) => chooseContext(certificates, name, done),
      })
    : http.createServer<typeof IncomingMessage, typeof Answer>({ ...limits, ServerResponse: Answer })
  // Bytes of headers are limited; a limit on their number would drop some unseen.
  server.maxHeadersCount = 0
  server.timeout = idleMs

  const current = new WeakMap<Socket, Answer>()
  const refused = new WeakSet<Socket>()
  const take = (request: IncomingMessage, answer: Answer) => {
    current.set(request.socket, answer)
    // The server is closing: the client must not count on this connection.
    if (!server.listening) answer.shouldKeepAlive = false
    enter(gate, listener, answer)
  }
  server.on('request', take)
  server.on('checkContinue', (request, answer) => {
    answer.expectation = 'continue'
    take(request, answer)
  })
  server.on('checkExpectation', (request, answer) => {
    answer.expectation = 'unknown'
    take(request, answer)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!(socket instanceof Socket)) return
    // What follows the first error is read and dropped until the connection ends.
    if (refused.has(socket) && !lost.has(error.code)) return
    refused.add(socket)
    log.debug({ err: error, remote: socket.remoteAddress }, 'a request could not be parsed')
    endUnparsed(error, socket, current.get(socket))
  })
  return server
}

function chooseContext(
  certificates: ServerCertificates,
  name: string,
  done: (error: Error | null, context?: SecureContext) => void,
): void {
  try {
    done(null, certificates.contextFor(name))
  } catch (error) {
    done(error instanceof Error ? error : new Error(String(error)))
  }
}

/** The client is gone, also when it left within a body. */
const lost: ReadonlySet<string | undefined> = new Set(['ECONNRESET', 'EPIPE', 'HPE_INVALID_EOF_STATE'])
const lingeringMs = 2000

/** What the parser refused: between requests, in a head, or within the body of a request that is being answered. */
function endUnparsed(error: NodeJS.ErrnoException, socket: Socket, answer: Answer | undefined): void {
  if (!socket.writable || lost.has(error.code)) {
    socket.destroy()
    return
  }
  const unanswered = answer === undefined || answer.writableFinished
  if (unanswered) endWith(socket, rawRefusal(unparsed(error)))
  else if (answer.headersSent) socket.destroy()
  else refuse(answer, unparsed(error))
}

/** Gives the client the time to read the answer: a reset would take it away. */
function endWith(socket: Socket, text: string): void {
  socket.end(text)
  const deadline = setTimeout(() => socket.destroy(), lingeringMs)
  socket.once('close', () => clearTimeout(deadline))
}

function unparsed({ code }: NodeJS.ErrnoException): Refusal {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return {
        status: 431,
        code: 'BAD_REQUEST',
        message: `the headers are larger than ${limits.maxHeaderSize} bytes`,
      }
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, code: 'BAD_REQUEST', message: 'the head of the request did not come in time' }
    default:
      return { status: 400, code: 'BAD_REQUEST', message: 'the request is not valid HTTP/1.1' }
  }
}
