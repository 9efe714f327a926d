import { Readable } from 'node:stream'
import { Agent, Pool, ProxyAgent, type Dispatcher } from 'undici'
import type { RemoteConfig } from '../../config.ts'
import { codeOf, reasonOf, withoutQuery, wrong } from './failures.ts'
import { lookupPublic, PrivateAddress, refusePrivateHost } from './private-addresses.ts'
import { readPassword, readTrusts, type Trust } from './trust.ts'
import { UpstreamFailure } from './upstream.ts'
import { WireAnswer } from './wire-answer.ts'

/** One request, to any host, without anything that follows from its answer. */
export interface Exchange {
  readonly method: Method
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: RequestBody | undefined
}

export type Method = 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
/** A stream is sent once: whoever wants to send it again opens it again. */
export type RequestBody = string | Uint8Array | Readable

/** What a configuration does not say of a connection. */
export interface ConnectionWish {
  /** In place of host and port of the URL. */
  readonly socketPath?: string | undefined
  /** `any`: whoever answers is believed, also when its certificate is not. Default: what the authorities say. */
  readonly certificates?: 'any' | undefined
}

/** Rejects with an UpstreamFailure when no answer comes. The answer's body is to be read or discarded. */
export type Send = (exchange: Exchange) => Promise<WireAnswer>

export interface Connection extends AsyncDisposable {
  readonly send: Send
}

const maxConnections = 256
const maxIdleMs = 60_000
/** Mostly of a connection that was kept and has ended meanwhile. What only asks is asked once more, without waiting. */
const brokenKept: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])

/** Connections over HTTP/1.1, kept for what comes next. Throws when something that the configuration names cannot be read. */
export async function openConnection(
  config: RemoteConfig,
  upstream: URL,
  wish: ConnectionWish = {},
): Promise<Connection> {
  const trusts = await readTrusts(config)
  const proxy = await readProxy(config)
  const own = dispatcher(config, proxy, trusts.upstream, wish)
  const others = dispatcher(config, proxy, trusts.others)

  const send: Send = async (exchange) => {
    const to = exchange.url.hostname === upstream.hostname ? own : others
    try {
      if (config.refusePrivateAddresses) refusePrivateHost(exchange.url)
      return await sendTwice(to, exchange, config.socketTimeoutMillis)
    } catch (cause) {
      const what = `${exchange.method} ${withoutQuery(exchange.url)}`
      if (cause instanceof PrivateAddress) throw wrong(`${what}: ${cause.message}`, cause)
      const reason = reasonOf(cause)
      throw new UpstreamFailure('unreachable', `${what}: ${reason}`, { reason, cause })
    }
  }
  return {
    send,
    async [Symbol.asyncDispose]() {
      await Promise.all([own.destroy(), others.destroy()])
    },
  }
}

async function sendTwice(to: Dispatcher, exchange: Exchange, silenceMs: number): Promise<WireAnswer> {
  try {
    return await sendOnce(to, exchange, silenceMs)
  } catch (error) {
    if (!isQuestion(exchange.method) || !brokenKept.has(codeOf(error))) throw error
    return await sendOnce(to, exchange, silenceMs)
  }
}

/** Whether it changes nothing (RFC 9110 §9.2.1). */
export function isQuestion(method: Method): boolean {
  return method === 'GET' || method === 'HEAD'
}

async function sendOnce(to: Dispatcher, { url, method, headers, body }: Exchange, silenceMs: number) {
  const givingUp = new AbortController()
  // Each step has its own limit; this is for whatever they leave out, such as a proxy that takes long for each. A stream takes as
  // long as it takes: undici waits for an answer from when nothing is sent any more.
  const late = () => givingUp.abort(new Error('no answer in time'))
  const deadline = body instanceof Readable ? undefined : setTimeout(late, 3 * silenceMs)
  try {
    const answer = await to.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method,
      headers: { 'user-agent': 'caisson', 'accept-encoding': 'identity', ...headers },
      signal: givingUp.signal,
      ...(body !== undefined && { body }),
    })
    return new WireAnswer(url, answer)
  } finally {
    clearTimeout(deadline)
  }
}

interface Proxy {
  readonly uri: string
  readonly token: string | undefined
}

async function readProxy({ proxy }: RemoteConfig): Promise<Proxy | undefined> {
  if (!proxy) return undefined
  const { url: uri, username, password } = proxy
  if (username === undefined) return { uri, token: undefined }
  const secret = password === undefined ? '' : await readPassword('proxy.password', password)
  return { uri, token: `Basic ${Buffer.from(`${username}:${secret}`).toString('base64')}` }
}

function dispatcher(
  config: RemoteConfig,
  proxy: Proxy | undefined,
  { ca, ...shown }: Trust,
  { socketPath, certificates }: ConnectionWish = {},
): Dispatcher {
  const timeout = config.socketTimeoutMillis
  const tls = {
    ...shown,
    ...(ca && { ca: [...ca] }),
    timeout,
    allowH2: false,
    ...(certificates === 'any' && { rejectUnauthorized: false }),
    ...(socketPath !== undefined && { socketPath }),
  }
  const shared = {
    allowH2: false,
    connections: maxConnections,
    connectTimeout: timeout,
    headersTimeout: timeout,
    // Bodies have a watch of their own.
    bodyTimeout: 0,
    keepAliveTimeout: maxIdleMs,
    keepAliveMaxTimeout: maxIdleMs,
  }
  if (!proxy)
    return new Agent({ ...shared, connect: { ...tls, ...(config.refusePrivateAddresses && { lookup: lookupPublic }) } })
  return new ProxyAgent({
    ...shared,
    uri: proxy.uri,
    ...(proxy.token !== undefined && { token: proxy.token }),
    requestTls: tls,
    proxyTls: { timeout },
    clientFactory: (origin, options) => new Pool(origin, { ...options, headersTimeout: timeout, allowH2: false }),
  })
}
