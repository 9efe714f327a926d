import { getDomain } from 'tldts'

export interface RealmRule {
  /** Where the upstream is. */
  readonly upstream: URL
  /** Hosts, with their port when it is not the usual one, that the configuration trusts besides. */
  readonly tokenRealms: readonly string[]
}

/**
 * Whether the realm may see the upstream's credentials. An upstream could name any realm, and so be given them by whoever is
 * deceived (CVE-2026-33540 of distribution): it must be the same host, or one of the same registrable domain, which nobody else can
 * have a name in. Addresses and localhost have no domain.
 */
export function mayHaveCredentials(realm: URL, { upstream, tokenRealms }: RealmRule): boolean {
  if (!isSecureEnough(realm, upstream)) return false
  if (realm.hostname === upstream.hostname || tokenRealms.includes(realm.host)) return true
  const domain = domainOf(realm)
  return domain !== undefined && domain === domainOf(upstream)
}

/** What comes over TLS is asked for over TLS, tokens for it too. */
export function isSecureEnough(realm: URL, upstream: URL): boolean {
  return realm.protocol === 'https:' || (realm.protocol === 'http:' && upstream.protocol === 'http:')
}

/** By the public suffix list, with the suffixes below which anybody can have a name, like github.io. */
function domainOf({ hostname }: URL): string | undefined {
  return getDomain(hostname, { allowPrivateDomains: true }) ?? undefined
}
