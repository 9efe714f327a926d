import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { ServerOptions } from 'node:https'
import { text } from 'node:stream/consumers'
import { send, type Plan } from './plan.ts'

export interface SeenRequest {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface ListenerOptions {
  /** Default: 127.0.0.1. */
  readonly address?: string
  /** With it over TLS, as localhost. */
  readonly tls?: Pick<ServerOptions, 'cert' | 'key' | 'ca' | 'requestCert' | 'rejectUnauthorized'>
}

/** A server that can be down, and keeps its port when it comes back. */
export class TestListener implements AsyncDisposable {
  readonly url: string
  /** All that came, in their order. */
  readonly requests: SeenRequest[] = []
  readonly #options: ListenerOptions
  readonly #answer: (request: SeenRequest) => Plan
  readonly #port: number
  #server: Server

  private constructor(server: Server, options: ListenerOptions, answer: (request: SeenRequest) => Plan) {
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
    this.#server = server
    this.#options = options
    this.#answer = answer
    this.#port = address.port
    this.url = options.tls
      ? `https://localhost:${this.#port}`
      : `http://${options.address ?? '127.0.0.1'}:${this.#port}`
    this.#serve()
  }

  static async open(options: ListenerOptions, answer: (request: SeenRequest) => Plan): Promise<TestListener> {
    return new TestListener(await listen(options, 0), options, answer)
  }

  /** How many requests of this method there were whose URL matches. */
  count(method: string, url = /^/): number {
    return this.requests.filter((request) => request.method === method && url.test(request.url)).length
  }

  /** Ends all connections; new ones are refused. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  /** Comes back on the same port. */
  async start(): Promise<void> {
    this.#server = await listen(this.#options, this.#port)
    this.#serve()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #serve(): void {
    this.#server.on('request', (request: IncomingMessage, response) => {
      const answered = async () => {
        const { method = '', url = '', headers } = request
        const seen = { method, url, headers, body: await text(request) }
        this.requests.push(seen)
        await send(this.#answer(seen), method, response)
      }
      // A client that goes away in the middle is no failure of a test.
      answered().catch(() => response.destroy())
    })
  }
}

async function listen({ tls, address = '127.0.0.1' }: ListenerOptions, port: number): Promise<Server> {
  const server = tls ? createTlsServer(tls) : createServer()
  server.listen(port, address)
  await once(server, 'listening')
  return server
}
