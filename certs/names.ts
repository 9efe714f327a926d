import { isIP } from 'node:net'

/** What a server certificate is for; names may be wildcards of one label (`*.company.com`). */
export interface CertificateNames {
  readonly dns: readonly string[]
  readonly addresses: readonly string[]
}

/** How this machine is called, as {@link certificateNames} needs it. */
export interface MachineNames {
  readonly hostNames: readonly string[]
  readonly addresses: readonly string[]
}

/**
 * The names for the certificate of a gateway with these hosts (exact names, addresses, or patterns with a "*" in the first
 * label), on this machine. Configured names come first; what can be no name in a certificate is left out.
 */
export function certificateNames(hosts: readonly string[], machine: MachineNames): CertificateNames {
  const exact = hosts.filter((host) => !host.includes('*'))
  const wildcards = hosts.filter((host) => host.includes('*')).map(wildcardFor)
  const names = [...exact, ...wildcards, 'localhost', ...machine.hostNames].map(canonicalName)
  const addresses = [...exact, '127.0.0.1', '::1', ...machine.addresses].map(canonicalAddress)
  return {
    dns: unique(names.filter((name) => isCertificateName(name))),
    addresses: unique(addresses.filter((address) => address !== undefined)),
  }
}

/** A name that a certificate can carry: a host name, or a wildcard for the whole first label. */
export function isCertificateName(name: string): boolean {
  return (
    name.length <= 253 && isIP(name) === 0 && /^(?:\*\.)?(?!-)[a-z0-9_-]{1,63}(?:\.(?!-)[a-z0-9_-]{1,63})*$/.test(name)
  )
}

/** The wildcard that covers `name`; undefined for a name of one label. */
export function wildcardOver(name: string): string | undefined {
  const dot = name.indexOf('.')
  return dot > 0 ? `*${name.slice(dot)}` : undefined
}

export function canonicalName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '')
}

/** Undefined for what is not an address. IPv6 in its shortest form, without zone. */
export function canonicalAddress(address: string): string | undefined {
  const bare = address.replace(/%.*$/, '')
  if (isIP(bare) === 4) return bare
  return isIP(bare) === 6 ? new URL(`http://[${bare}]`).hostname.slice(1, -1) : undefined
}

/** RFC 6125 §6.4.3: clients need not take `acme-docker-*.company.com`, and Go's do not; `*.company.com` they all take. */
function wildcardFor(pattern: string): string {
  return wildcardOver(pattern) ?? pattern
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)]
}
