/** RFC 6265 §5.4: of several of one name the first, whose path is the longest. Undefined when there is none. */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  const pairs = (header ?? '').split(';').map((pair) => pair.trim())
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1)
}

export interface NewCookie {
  readonly name: string
  readonly value: string
  readonly path: string
  /** Whether browsers send it over TLS alone. */
  readonly secure: boolean
  /** Undefined: until the browser is closed. 0: it goes. */
  readonly maxAgeSeconds: number | undefined
}

/**
 * `Set-Cookie` of what no script may read. SameSite is Lax and not Strict because a login ends with a redirect that began at
 * the provider: a Strict cookie is not sent on it, neither the pending login nor, at the page that it leads to, the session.
 * What a session must not be used for from elsewhere, requests that change something, is refused by `sessionOf`.
 */
export function setCookie({ name, value, path, secure, maxAgeSeconds }: NewCookie): string {
  return [
    `${name}=${value}`,
    `Path=${path}`,
    'HttpOnly',
    'SameSite=Lax',
    ...(secure ? ['Secure'] : []),
    ...(maxAgeSeconds === undefined ? [] : [`Max-Age=${maxAgeSeconds}`]),
  ].join('; ')
}
