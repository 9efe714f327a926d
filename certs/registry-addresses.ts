import { isIPv6 } from 'node:net'
import type { GatewayConfig } from '../gateway/config.ts'

/**
 * The `host:port` under which clients know the registries: every configured host on every TLS port, 443 left out. Patterns
 * stand for no one name; with nothing else it is `localhost`.
 */
export function registryAddresses({ hosts, listeners }: Pick<GatewayConfig, 'hosts' | 'listeners'>): readonly string[] {
  const exact = Object.keys(hosts).filter((host) => !host.includes('*'))
  const ports = listeners.filter(({ tls, port }) => tls && port !== 0).map(({ port }) => port)
  return (exact.length > 0 ? exact : ['localhost']).flatMap((host) => ports.map((port) => hostPort(host, port)))
}

function hostPort(host: string, port: number): string {
  const name = isIPv6(host) ? `[${host}]` : host
  return port === 443 ? name : `${name}:${port}`
}
