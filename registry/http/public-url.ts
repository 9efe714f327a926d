import type { IncomingHttpHeaders } from 'node:http'
import { RegistryError } from '../domain/errors.ts'
import { BadRequestTarget, parseRequestTarget } from '../../wire/request-target.ts'
import type { V2Address } from './v2/address.ts'

/** A request as it arrived, and whether its peer is believed in what it says about the client. */
export interface Asked {
  readonly trusted: boolean
  readonly headers: IncomingHttpHeaders
}

/** The V2 API as the client sees it. */
export interface PublicV2 {
  /** `https://docker.company.com`, and the port when it is not the scheme's own. */
  readonly origin: string
  /** The origin without its scheme: the registry's name in `docker login`. */
  readonly host: string
  /** Path that ends in `/v2`. */
  readonly base: string
  /** Whether the client's image names begin with the repository key. */
  readonly keyInNames: boolean
}

export function publicV2(asked: Asked, address: V2Address): PublicV2 {
  return { ...publicOrigin(asked), ...publicBase(asked, address) }
}

/** Throws BAD_REQUEST when the request names no host that could stand in a URL. */
export function publicOrigin({ trusted, headers }: Asked): { readonly origin: string; readonly host: string } {
  if (!trusted) return originOf('http', hostOf(headers.host))
  const scheme = forwardedScheme(headers)
  const host = hostOf(lastOf(headers['x-forwarded-host']) ?? headers.host)
  const port = lastOf(headers['x-forwarded-port'])
  const addsPort = port !== undefined && /^\d{1,5}$/.test(port) && !hasPort(host) && port !== ownPort[scheme]
  return originOf(scheme, addsPort ? `${host}:${port}` : host)
}

type Scheme = 'http' | 'https'
const ownPort: Readonly<Record<Scheme, string>> = { http: '80', https: '443' }

function originOf(scheme: Scheme, host: string) {
  return { origin: `${scheme}://${host}`, host }
}

/** The Apache recipe does not say the scheme; a proxy in front of a registry speaks TLS, as docker asks for. */
function forwardedScheme(headers: IncomingHttpHeaders): Scheme {
  const said = lastOf(headers['x-forwarded-proto'])?.toLowerCase()
  if (said === 'http' || said === 'https') return said
  return isProxied(headers) ? 'https' : 'http'
}

function publicBase(
  asked: Asked,
  { base, key, rest }: V2Address,
): { readonly base: string; readonly keyInNames: boolean } {
  const asAsked = { base, keyInNames: key === undefined }
  if (!asked.trusted) return asAsked
  const original = originalPath(asked.headers)
  if (original?.endsWith(`/${rest}`)) {
    const above = original.slice(0, original.length - rest.length - 1)
    if (above.endsWith('/v2')) return { base: above, keyInNames: key === undefined }
    if (key !== undefined && above.endsWith(`/v2/${key}`))
      return { base: above.slice(0, -key.length - 1), keyInNames: true }
  }
  // Every recipe serves the API where docker looks for it.
  return isProxied(asked.headers) ? { base: '/v2', keyInNames: key === undefined } : asAsked
}

function originalPath(headers: IncomingHttpHeaders): string | undefined {
  const original = headers['x-original-uri']
  if (typeof original !== 'string') return undefined
  try {
    return parseRequestTarget(original).path
  } catch (error) {
    if (error instanceof BadRequestTarget) return undefined
    throw error
  }
}

const signsOfProxy = [
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-server',
  'x-real-ip',
  'x-original-uri',
] as const

function isProxied(headers: IncomingHttpHeaders): boolean {
  return signsOfProxy.some((name) => headers[name] !== undefined)
}

/** A proxy that adds to what the client sent adds at the end, so only the last value is known to be its own. */
function lastOf(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header.slice(header.lastIndexOf(',') + 1).trim() : undefined
}

// A host goes into quoted strings and URLs that we answer with: nothing may end them.
const validHost = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/

function hostOf(host: string | undefined): string {
  if (host !== undefined && validHost.test(host)) return host
  throw new RegistryError('BAD_REQUEST', { message: 'the request has no valid Host header' })
}

function hasPort(host: string): boolean {
  return /:\d+$/.test(host)
}
