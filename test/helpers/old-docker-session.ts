import { checkServerIdentity, type ConnectionOptions } from 'node:tls'
import { RawConnection, type RawAnswer } from './raw-connection.ts'

/** The one before the V2 API, and the last one with both. */
export type OldVersion = '1.5' | '1.9'

export interface OldRegistry {
  /** `host:port`, as it stands before the image. */
  readonly registry: string
  /** PEM of the authority that the client verifies; without it, plain http. */
  readonly authority?: string | undefined
}

export interface Login {
  readonly name: string
  readonly password: string
}

/** What was sent and answered: `GET /v1/_ping` and 200. */
export interface Exchange {
  readonly call: string
  readonly authorization: string | undefined
  /** Undefined before there is an answer, and when the client has gone away. */
  status: number | undefined
}

export interface Call {
  readonly method?: 'GET' | 'PUT' | 'POST'
  readonly path: string
  /** In their order on the wire, spelled as docker spells them. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** The body comes in chunks, and after so many bytes of it the client goes away. */
  readonly chunked?: { readonly breakAfter?: number | undefined }
  /** The client goes away after so many bytes of the answer's body. */
  readonly readUpTo?: number | undefined
}

/** The client has gone away as it was told to. */
export class BrokenOff extends Error {
  readonly received: Buffer
  constructor(call: string, received: Buffer = Buffer.alloc(0)) {
    super(`${call} was broken off after ${received.length} bytes`)
    this.received = received
  }
}

/** Seen on the wire from docker 1.5.0 and 1.9.1; the commits are those of the releases. */
const userAgents = {
  '1.5': 'docker/1.5.0 go/go1.3.3 git-commit/a8a31ef kernel/3.13.0-44-generic os/linux arch/amd64',
  '1.9': 'docker/1.9.1 go/go1.4.2 git-commit/a34a1d5 kernel/3.13.0-68-generic os/linux arch/amd64',
} as const
/** Docker 1.5 asks for the version of the API and for an account without a name of its own. */
const namelessAgent = 'Go 1.1 package http'

/** io.Copy of Go */
const chunkBytes = 32 * 1024

/** The requests of one command: a connection for each, the cookies, and the token that was given. */
export class OldDockerSession {
  readonly traffic: Exchange[] = []
  readonly #version: OldVersion
  readonly #where: OldRegistry
  readonly #login: Login | undefined
  readonly #cookies = new Map<string, string>()
  #tokens: readonly string[] = []
  /** Whether the ping has said so; docker sends the password everywhere then, if over TLS. */
  standalone = true
  /** Whether the registry has said so. */
  findsV2 = false

  constructor(version: OldVersion, where: OldRegistry, login: Login | undefined) {
    this.#version = version
    this.#where = where
    this.#login = login
  }

  /** What docker asks to learn which API there is. */
  async probe(path: '/v2/' | '/v1/_ping'): Promise<RawAnswer> {
    return this.#send({ path }, [['User-Agent', this.#namelessAgent]])
  }

  /** Asks for an account to be made; a login before it is not tried. */
  async register(body: string): Promise<RawAnswer> {
    const call: Call = { method: 'POST', path: '/v1/users/', body }
    const type = ['Content-Type', 'application/json; charset=utf-8'] as const
    return this.#send(call, [['User-Agent', this.#namelessAgent], ...lengthOf(call), type])
  }

  async checkLogin(login: Login): Promise<RawAnswer> {
    return this.#send({ path: '/v1/users/' }, [
      ['User-Agent', this.#agent],
      ['Authorization', basic(login)],
    ])
  }

  /** With the password, and asking for a token: docker's index calls. */
  async index(call: Call): Promise<RawAnswer> {
    const sent = this.#basicAlways ?? (this.#login && basic(this.#login))
    const answer = await this.#ask(call, sent, { 'X-Docker-Token': 'true' })
    const tokens = answer.header('x-docker-token')
    if (tokens !== undefined) this.#tokens = [tokens]
    return answer
  }

  /** With the password or the token: calls of docker's registry. */
  async registry(call: Call): Promise<RawAnswer> {
    return this.#ask(call, this.#basicAlways ?? this.#token, {})
  }

  get #agent(): string {
    return userAgents[this.#version]
  }

  get #namelessAgent(): string {
    return this.#version === '1.5' ? namelessAgent : this.#agent
  }

  /** Without a login docker sends an empty one. */
  get #basicAlways(): string | undefined {
    return this.standalone && this.#where.authority !== undefined
      ? basic(this.#login ?? { name: '', password: '' })
      : undefined
  }

  /** Docker 1.5 says so even when it has been given no token. */
  get #token(): string | undefined {
    return this.#tokens.length > 0 || this.#version === '1.5' ? `Token ${this.#tokens.join(',')}` : undefined
  }

  async #ask(
    call: Call,
    authorization: string | undefined,
    more: Readonly<Record<string, string>>,
  ): Promise<RawAnswer> {
    const sorted = Object.entries({
      ...call.headers,
      ...more,
      ...(authorization === undefined ? {} : { Authorization: authorization }),
      ...(this.#cookies.size === 0 ? {} : { Cookie: this.#cookiesFor(call) }),
    }).sort(([one], [other]) => (one < other ? -1 : 1))
    const length = call.chunked ? [['Transfer-Encoding', 'chunked'] as const] : lengthOf(call)
    const answer = await this.#send(call, [['User-Agent', this.#agent], ...length, ...sorted])
    const [cookie = ''] = (answer.header('set-cookie') ?? '').split(';', 1)
    const equals = cookie.indexOf('=')
    if (equals > 0) this.#cookies.set(cookie.slice(0, equals), cookie.slice(equals + 1))
    return answer
  }

  /** What goes on with a layer is the first request once more, to which the cookies are added again. */
  #cookiesFor(call: Call): string {
    const all = [...this.#cookies].map((pair) => pair.join('='))
    return (call.headers?.['Range'] === undefined ? all : [...all, ...all]).join('; ')
  }

  /** Go sends these four where they stand, and what else there is sorted between them. */
  async #send(call: Call, headers: readonly (readonly [string, string])[]): Promise<RawAnswer> {
    const { method = 'GET', path } = call
    const gzip = call.headers?.['Range'] === undefined ? [['Accept-Encoding', 'gzip'] as const] : []
    const all = [['Host', this.#where.registry] as const, ...headers, ...gzip, ['Connection', 'close'] as const]
    const head = `${method} ${path} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
    const authorization = headers.find(([name]) => name === 'Authorization')?.[1]
    const exchange: Exchange = { call: `${method} ${path}`, authorization, status: undefined }
    this.traffic.push(exchange)
    await using connection = await this.#connect()
    connection.send(head)
    sendBody(connection, call)
    const answer = await answerTo(connection, call, exchange.call)
    exchange.status = answer.status
    return answer
  }

  async #connect(): Promise<RawConnection> {
    const { registry, authority } = this.#where
    const { hostname, port } = new URL(`http://${registry}`)
    if (authority === undefined) return RawConnection.open(Number(port), 'plain')
    return RawConnection.open(Number(port), 'tls', { ...tlsOfOld, ca: authority, servername: hostname })
  }
}

/** Go 1.3 to 1.4: no TLS 1.3, no ALPN. */
const tlsOfOld: ConnectionOptions = { maxVersion: 'TLSv1.2', rejectUnauthorized: true, checkServerIdentity }

export function basic({ name, password }: Login): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`
}

function lengthOf({ method = 'GET', body }: Call): readonly (readonly [string, string])[] {
  return method === 'GET' ? [] : [['Content-Length', String(Buffer.byteLength(body ?? ''))]]
}

function sendBody(connection: RawConnection, { body = '', chunked }: Call): void {
  if (!chunked) {
    if (body.length > 0) connection.send(body)
    return
  }
  const bytes = Buffer.from(body).subarray(0, chunked.breakAfter)
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const chunk = bytes.subarray(at, at + chunkBytes)
    connection.send(`${chunk.length.toString(16)}\r\n`, chunk, '\r\n')
  }
  if (chunked.breakAfter === undefined) connection.send('0\r\n\r\n')
}

async function answerTo(connection: RawConnection, call: Call, name: string): Promise<RawAnswer> {
  if (call.chunked?.breakAfter !== undefined) {
    connection.socket.end()
    await connection.rest()
    throw new BrokenOff(name)
  }
  if (call.readUpTo === undefined) return connection.answer()
  await connection.receiveBody(call.readUpTo)
  await connection[Symbol.asyncDispose]()
  const answer = await connection.answer()
  if (answer.status !== 200 || answer.body.length < call.readUpTo) return answer
  throw new BrokenOff(name, answer.body.subarray(0, call.readUpTo))
}
