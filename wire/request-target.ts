/** What the client asked for, in the one spelling that every rule of ours is applied to. */
export interface RequestTarget {
  /** Absolute, percent-encoded where a raw octet would not be a valid path character, and only there. */
  readonly path: string
  /** Empty, or `?` and the query as it came. */
  readonly query: string
}

/** The target is not one that we route: answered with 400, never guessed. The message says what is wrong. */
export class BadRequestTarget extends Error {}

const plainPath = /^(?:\/(?!\.{0,2}(?:\/|$))[A-Za-z0-9\-._~!$&'()*+,;=:@]+)*\/?$/
const escapes = /%(?:([0-9A-Fa-f]{2})|)/g
const mustBeEncoded = /[^A-Za-z0-9\-._~!$&'()*+,;=:@%/]/
const visible = /^[\x21-\x7e]*$/
const unreserved = /[A-Za-z0-9\-._~!$&'()*+,;=:@]/

/**
 * The one normalisation of paths, used by the gateway and the registry alike, so that neither can be led to another
 * resource than the other one authorised. Escapes of ordinary characters are undone; an encoded slash, a backslash, a
 * control character, an empty or a dot segment, a fragment and the absolute form are refused.
 *
 * Source: RFC 9112 §3.2 (origin form), RFC 3986 §6.2.2 (normalisation).
 */
export function parseRequestTarget(raw: string): RequestTarget {
  const mark = raw.indexOf('?')
  const rawPath = mark === -1 ? raw : raw.slice(0, mark)
  const query = mark === -1 ? '' : raw.slice(mark)
  if (!rawPath.startsWith('/')) throw new BadRequestTarget(`the request target must be a path that starts with "/"`)
  if (query.includes('#')) throw new BadRequestTarget('the request target has a fragment')
  if (!visible.test(query)) throw new BadRequestTarget('the query has a character that must be percent-encoded')
  if (plainPath.test(rawPath)) return { path: rawPath, query }

  const path = rawPath.replace(escapes, (escape: string, hex: string | undefined) => {
    if (hex === undefined) throw new BadRequestTarget('the path has a "%" that starts no percent-encoding')
    const octet = Number.parseInt(hex, 16)
    if (octet < 0x20 || octet === 0x7f)
      throw new BadRequestTarget(`the path has an encoded control character ${escape}`)
    const character = String.fromCharCode(octet)
    if (character === '/' || character === '\\') throw new BadRequestTarget(`the path has an encoded slash ${escape}`)
    return unreserved.test(character) ? character : escape.toUpperCase()
  })
  if (mustBeEncoded.test(path)) throw new BadRequestTarget('the path has a character that must be percent-encoded')
  const segments = path.slice(1).split('/')
  segments.forEach((segment, index) => {
    const last = index === segments.length - 1
    if (segment === '' && !last) throw new BadRequestTarget('the path has an empty segment ("//")')
    if (segment === '.' || segment === '..') throw new BadRequestTarget('the path has a dot segment')
  })
  return { path, query }
}
