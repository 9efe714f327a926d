/** A Host header, taken apart. */
export interface PublicHost {
  /** Lower case, without the dot of the root and without the brackets of an IPv6 address. */
  readonly name: string
  /** Undefined when the scheme's own is meant. */
  readonly port: number | undefined
}

const form = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?)\.?)(?::([0-9]{1,5}))?$/i

/** Undefined when it is not what RFC 9110 §7.2 allows. */
export function parseHost(header: string): PublicHost | undefined {
  const match = form.exec(header)
  if (!match) return undefined
  const [, address, name, port] = match
  const number = port === undefined ? undefined : Number(port)
  if (number !== undefined && (number === 0 || number > 65535)) return undefined
  return { name: (address ?? name ?? '').toLowerCase(), port: number }
}
