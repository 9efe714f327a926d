import type { RemoteConfig } from '../../config.ts'
import { askRealm } from './ask-realm.ts'
import { Authentication } from './authentication.ts'
import { BearerTokens } from './bearer-tokens.ts'
import { openConnection, type Connection, type ConnectionWish } from './connection.ts'
import { fixedCredentials, openCredentials } from './credentials.ts'
import { isDockerHub } from './docker-hub.ts'
import type { Login } from './login.ts'
import { Requests } from './requests.ts'
import type { UpstreamObserver } from './upstream.ts'
import { Wire } from './wire.ts'

export interface RequestsOptions extends ConnectionWish {
  /** In place of the credentials that the configuration names. */
  readonly login?: Login | undefined
  /** How slow a body may be, averaged over a time. Default: 1 KiB/s over twice the silence, 30 s at most. */
  readonly slowest?: { readonly bytesPerSecond: number; readonly windowMs: number }
  readonly now?: () => number
}

export interface OpenRequests {
  /** How the registry is named in messages: its URL. */
  readonly name: string
  /** Ends with /v2/. */
  readonly base: URL
  readonly requests: Requests
  readonly wire: Wire
  readonly connection: Connection
}

/** As docker and its credential helpers know Docker Hub, whose registry has another name. */
const hub = { registry: 'https://registry-1.docker.io', credentials: 'https://index.docker.io/v1/' } as const
const usualPace = (silenceMs: number) => ({ bytesPerSecond: 1024, windowMs: Math.min(2 * silenceMs, 30_000) })

/** Asks the registry nothing yet. Throws, naming the setting, when something that the configuration names cannot be read. */
export async function openRequests(
  config: RemoteConfig,
  observer: UpstreamObserver,
  { login, slowest, now = Date.now, ...wish }: RequestsOptions,
): Promise<OpenRequests> {
  const isHub = isDockerHub(config.url)
  const url = new URL(isHub ? hub.registry : config.url)
  const credentials = login
    ? fixedCredentials(login)
    : await openCredentials(config, isHub ? hub.credentials : url.host, now)
  const connection = await openConnection(config, url, wish)
  const silenceMs = config.socketTimeoutMillis
  const limits = { ...(slowest ?? usualPace(silenceMs)), silenceMs }
  const wire = new Wire({ send: connection.send, observer, limits, now })
  const tokens = new BearerTokens((asked) => askRealm(wire, asked), credentials, now)
  const { tokenRealms, enableTokenAuthentication } = config
  const rule = { upstream: url, tokenRealms, enableTokenAuthentication }
  const requests = new Requests(wire, new Authentication(credentials, tokens, rule))
  const path = url.pathname.replace(/\/+$/, '')
  return { name: `${url.origin}${path}`, base: new URL(`${path}/v2/`, url), requests, wire, connection }
}
