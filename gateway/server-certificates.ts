import type { SecureContext } from 'node:tls'

/** What a TLS listener needs of certificates; `certs/` provides it. Renewed certificates show up here by themselves. */
export interface ServerCertificates {
  /** PEM texts for clients that send no server name (SNI). */
  fallback(): { readonly cert: string; readonly key: string }
  /** Exact name first, then a wildcard that covers it, then the fallback. Cached: cheap to call per handshake. */
  contextFor(serverName: string): SecureContext
  /** PEM of our own authority, handed out at /ca.crt; undefined with certificates of somebody else's. */
  authority(): string | undefined
  /** Called after the certificates have changed, so that listeners can take the new fallback. */
  onChange(listener: () => void): void
}
