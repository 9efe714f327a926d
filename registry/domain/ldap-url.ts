export interface LdapAddress {
  /** From the first byte on: ldaps. */
  readonly tls: boolean
  readonly host: string
  readonly port: number
}

const form = /^(ldaps?):\/\/(?:\[([\da-f:.]+)\]|([^\s:/?#@[\]]+))(?::(\d{1,5}))?\/?$/i

/** Undefined for what is no `ldap://host[:port]` or `ldaps://host[:port]`. */
export function parseLdapUrl(text: string): LdapAddress | undefined {
  const [, scheme, address, name, digits] = form.exec(text) ?? []
  const host = address ?? name
  if (scheme === undefined || host === undefined) return undefined
  const tls = scheme.toLowerCase() === 'ldaps'
  const port = digits === undefined ? (tls ? 636 : 389) : Number(digits)
  return port >= 1 && port <= 65_535 ? { tls, host, port } : undefined
}

export function isLdapUrl(text: string): boolean {
  return parseLdapUrl(text) !== undefined
}

/** Whether what is sent there stays on this machine. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i.test(host)
}
