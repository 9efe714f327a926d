import { isRepositoryKey, type GatewayConfig, type Listener, type Target } from './config.ts'
import { parseHost } from './host-name.ts'
import { compileHostRules, coverHost, type HostRules } from './host-rules.ts'
import { compileRewrite, type Api, type PathRewrite } from './path-rewrite.ts'

export interface RepositoryMatch {
  readonly kind: 'repository'
  /** Undefined for what concerns all repositories: `/v2/`, `/v2/_catalog` and the like where the path names the key. */
  readonly key: string | undefined
  readonly api: Api
  readonly upstreamPath: string
  /** What the client sees and what upstream sees instead; both end in a slash. */
  readonly publicPrefix: string
  readonly upstreamPrefix: string
  /** How the registry is to ask for a login here; undefined leaves it to the registry. */
  readonly challenge: Target['challenge']
}

export type Match =
  | RepositoryMatch
  | { readonly kind: 'through'; readonly upstreamPath: string }
  | { readonly kind: 'unknownHost'; readonly host: string }
  /** `lacks`: an API that the host or port has no repository for. */
  | { readonly kind: 'nothingHere'; readonly reason: string; readonly lacks?: Api }

/** What a host or a port stands for. */
export interface Site {
  /** Where the configuration says so. */
  readonly rule: string
  readonly target: Exclude<Target, { kind: 'host' }>
}

export interface Routes {
  readonly context: string
  readonly rewrite: PathRewrite | undefined
  readonly hosts: HostRules
  /** By Host header as sent. */
  readonly sites: ReadonlyMap<Listener, Map<string, Site | undefined>>
}

/** Whoever sends made-up hosts must not fill the memory. */
const maxRememberedHosts = 10_000
/** What has no image name, so that its path has no place for a key either. */
const imageless: Readonly<Record<Api, ReadonlySet<string>>> = {
  v1: new Set(['', '_ping', 'search', 'users', 'auth', 'repositories', 'images']),
  v2: new Set(['', 'token', '_catalog', 'auth']),
}

export function compileRoutes(config: Pick<GatewayConfig, 'listeners' | 'hosts' | 'context' | 'rewrite'>): Routes {
  return {
    context: config.context,
    rewrite: compileRewrite(config.rewrite, config.context),
    hosts: compileHostRules(config.hosts),
    sites: new Map(config.listeners.map((listener) => [listener, new Map()])),
  }
}

export interface RoutedRequest {
  readonly listener: Listener
  /** The Host header as sent. */
  readonly host: string
  /** Normalised by `parseRequestTarget`. */
  readonly path: string
}

export function matchRoute(routes: Routes, { listener, host, path }: RoutedRequest): Match {
  const site = findSite(routes, listener, host)
  if (!site) return { kind: 'unknownHost', host }
  if (!routes.rewrite) return { kind: 'through', upstreamPath: path }
  const api = apiOf(path)
  if (api) return matchApi(routes.rewrite, site, api, path.slice(4))
  if (path === routes.context || path.startsWith(`${routes.context}/`)) return { kind: 'through', upstreamPath: path }
  return {
    kind: 'nothingHere',
    reason: `there is nothing at "${path}": expected /v2/, /v1/${routes.context && ` or ${routes.context}/`}`,
  }
}

/** The site that a host or port stands for, remembered per Host header. */
export function findSite(routes: Routes, listener: Listener, host: string): Site | undefined {
  const remembered = routes.sites.get(listener)
  if (remembered?.has(host)) return remembered.get(host)
  const site = siteOf(routes.hosts, listener, host)
  if (remembered && remembered.size >= maxRememberedHosts) remembered.clear()
  remembered?.set(host, site)
  return site
}

function siteOf(hosts: HostRules, listener: Listener, host: string): Site | undefined {
  const name = parseHost(host)?.name
  if (name === undefined) return undefined
  if (listener.target) return settle(`port ${listener.port}`, listener.target, name.split('.')[0])
  const covered = coverHost(hosts, name)
  if (!covered) return undefined
  return settle(`host ${covered.rule.pattern}`, covered.rule.target, covered.star ?? name.split('.')[0])
}

function settle(rule: string, target: Target, label: string | undefined): Site | undefined {
  if (target.kind !== 'host') return { rule, target }
  if (label === undefined || !isRepositoryKey(label)) return undefined
  return { rule, target: { kind: 'repository', v1: label, v2: label, challenge: target.challenge } }
}

function apiOf(path: string): Api | undefined {
  if (path.startsWith('/v2/') || path === '/v2') return 'v2'
  if (path.startsWith('/v1/') || path === '/v1') return 'v1'
  return undefined
}

function matchApi(rewrite: PathRewrite, { target, rule }: Site, api: Api, rest: string): Match {
  const { challenge } = target
  if (target.kind === 'path') return matchKeyInPath(rewrite, api, rest, challenge)
  const key = target[api]
  if (key === undefined)
    return { kind: 'nothingHere', reason: `${rule} has no repository for the ${api} API`, lacks: api }
  const keyless = rewrite.keyIsPartOfImageName && isImageless(api, rest)
  return repositoryMatch(rewrite, { key, api, rest, publicPrefix: `/${api}/`, challenge }, keyless ? undefined : key)
}

function matchKeyInPath(rewrite: PathRewrite, api: Api, rest: string, challenge: Target['challenge']): Match {
  if (isImageless(api, rest))
    return repositoryMatch(rewrite, { key: undefined, api, rest, publicPrefix: `/${api}/`, challenge }, undefined)
  const slash = rest.indexOf('/')
  const key = slash === -1 ? rest : rest.slice(0, slash)
  if (!isRepositoryKey(key)) {
    return { kind: 'nothingHere', reason: `"${key}" is no repository key: expected lower-case letters and digits` }
  }
  const inside = slash === -1 ? '' : rest.slice(slash + 1)
  return repositoryMatch(rewrite, { key, api, rest: inside, publicPrefix: `/${api}/${key}/`, challenge }, key)
}

function isImageless(api: Api, rest: string): boolean {
  return imageless[api].has(api === 'v1' ? (rest.split('/', 1)[0] ?? '') : rest)
}

function repositoryMatch(
  rewrite: PathRewrite,
  found: Pick<RepositoryMatch, 'key' | 'api' | 'publicPrefix' | 'challenge'> & { readonly rest: string },
  upstreamKey: string | undefined,
): RepositoryMatch {
  const { rest, ...known } = found
  const upstreamPrefix = rewrite.upstreamPrefix(known.api, upstreamKey)
  return { kind: 'repository', ...known, upstreamPath: upstreamPrefix + rest, upstreamPrefix }
}
