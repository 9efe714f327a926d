import type { CaissonConfig } from './config.ts'

/**
 * The names that the self-signed certificate must be good for: the configured ones and, for a pattern right below a top-level
 * name such as `*.localhost`, each repository's own, because many clients take no such wildcard.
 */
export function certificateHosts({ gateway, registry }: CaissonConfig): readonly string[] {
  const keys = Object.keys(registry.repositories)
  return Object.entries(gateway.hosts).flatMap(([host, target]) => {
    const narrow = target.kind === 'host' && host.split('.').length <= 2
    return narrow ? [host, ...keys.map((key) => host.replace('*', key))] : [host]
  })
}
