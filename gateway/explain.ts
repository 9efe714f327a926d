import { parseRequestTarget } from '../wire/request-target.ts'
import type { GatewayConfig, Listener } from './config.ts'
import { compileRoutes, findSite, matchRoute, type Match } from './routes.ts'

/** Where a request to a URL would go, and which lines of the configuration say so. */
export interface Explanation {
  /** Undefined when nothing listens on the URL's port. */
  readonly listener: Listener | undefined
  /** `host <pattern>` or `port <number>`; undefined for an unknown host. */
  readonly rule: string | undefined
  readonly match: Match | undefined
  /** What upstream is asked for, query included. */
  readonly upstreamTarget: string | undefined
}

type RouteConfig = Pick<GatewayConfig, 'listeners' | 'hosts' | 'context' | 'rewrite'>

/** Throws BadRequestTarget for a path that no request gets through with. */
export function explainRoute(config: RouteConfig, url: string): Explanation {
  const { protocol, host, port } = new URL(url)
  const tls = protocol === 'https:'
  const listener = config.listeners.find((one) => one.port === (Number(port) || (tls ? 443 : 80)) && one.tls === tls)
  if (!listener) return { listener, rule: undefined, match: undefined, upstreamTarget: undefined }

  const routes = compileRoutes(config)
  const { path, query } = parseRequestTarget(rawTarget(url))
  const match = matchRoute(routes, { listener, host, path })
  return {
    listener,
    rule: findSite(routes, listener, host)?.rule,
    match,
    upstreamTarget: 'upstreamPath' in match ? match.upstreamPath + query : undefined,
  }
}

/** As a client would send it: `URL` would have resolved the dot segments that the gateway refuses. */
function rawTarget(url: string): string {
  return /^[a-z]+:\/\/[^/?#]*([^#]*)/i.exec(url)?.[1] || '/'
}
