import type { Arrival } from './answer.ts'
import type { Match } from './routes.ts'

/** What URLs in an upstream's answer have to be mapped by. */
export interface UrlMapping {
  readonly arrival: Arrival
  readonly match: Match | undefined
  /** Authority of an upstream that is reached by TCP, where it may name itself. */
  readonly upstreamHost: string | undefined
}

const absolute = /^(https?):\/\/([^/?#]*)(.*)$/i
const linkTarget = /<([^<>]*)>/g
const realm = /\b(realm=")([^"]*)(")/gi

/** `Location`: a URL of the upstream's own becomes the one that the client can use; any other stays as it is. */
export function mapLocation(url: string, mapping: UrlMapping): string {
  const { arrival, upstreamHost } = mapping
  const parts = absolute.exec(url)
  if (!parts) return url.startsWith('/') && !url.startsWith('//') ? mapPath(url, mapping) : url
  const [, scheme = '', host = '', path = ''] = parts
  if (host.toLowerCase() === arrival.host.toLowerCase()) {
    // An upstream that does not know of the TLS in front of it says http; one that wants TLS says https and is right.
    return `${arrival.scheme === 'https' ? 'https' : scheme}://${host}${mapPath(path, mapping)}`
  }
  if (host.toLowerCase() === upstreamHost) return `${arrival.scheme}://${arrival.host}${mapPath(path, mapping)}`
  return url
}

/** `Link`: RFC 8288 §3. */
export function mapLinks(field: string, mapping: UrlMapping): string {
  return field.replace(linkTarget, (_, url: string) => `<${mapLocation(url, mapping)}>`)
}

/** `WWW-Authenticate`: the realm of a Bearer challenge is the URL of the token service. */
export function mapRealm(field: string, mapping: UrlMapping): string {
  return field.replace(
    realm,
    (_, before: string, url: string, after: string) => before + mapLocation(url, mapping) + after,
  )
}

function mapPath(path: string, { match }: UrlMapping): string {
  if (match?.kind !== 'repository' || !path.startsWith(match.upstreamPrefix)) return path
  return match.publicPrefix + path.slice(match.upstreamPrefix.length)
}
