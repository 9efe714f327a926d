import { relative } from 'node:path'
import type { Listener } from '../gateway/config.ts'
import type { CaissonConfig } from './config.ts'
import type { Readiness } from './messages.ts'
import { version } from './version.ts'

interface Started {
  readonly config: CaissonConfig
  readonly ports: readonly number[]
  readonly firstAdmin: Readiness['firstAdmin']
}

/** What a person needs next, once everything runs. */
export function banner({ config, ports, firstAdmin }: Started): string {
  const addresses = addressesOf(config, ports)
  const data = shortest(config.dataDirectory)
  const first = addresses.find(({ push }) => push !== undefined)
  const sections = [
    [`Caisson ${version} serves; everything is kept in ${data}/`],
    addresses.map(({ url, meaning }) => `  ${url.padEnd(42)} ${meaning}`),
    firstAdmin && adminLines(firstAdmin, data),
    first?.push && [
      'A first push:',
      `  docker login ${first.host} -u admin`,
      `  docker tag <an image you have> ${first.push}`,
      `  docker push ${first.push}`,
    ],
    config.gateway.certificates === 'selfSigned' && [
      'The certificate is from an authority of its own. docker trusts localhost without it; for other machines',
      `  npm run caisson -- certs trust     shows how every client learns of ${data}/certs/ca.crt`,
    ],
  ]
  return sections
    .filter((lines) => Array.isArray(lines))
    .map((lines) => lines.join('\n'))
    .join('\n\n')
}

function shortest(path: string): string {
  const fromHere = relative(process.cwd(), path)
  return fromHere.startsWith('..') ? path : fromHere || '.'
}

function adminLines(admin: NonNullable<Readiness['firstAdmin']>, data: string): readonly string[] {
  if (!admin.generated) return ['Login: admin, with the password of CAISSON_ADMIN_PASSWORD']
  return [`Login: admin, password ${admin.password}`, `  (shown this once, kept in ${data}/admin-password)`]
}

interface Address {
  readonly url: string
  readonly host: string
  readonly meaning: string
  /** A name that an image can be pushed under. */
  readonly push: string | undefined
}

/** Every way in: each listener's own repository, or the hosts on it. */
function addressesOf({ gateway }: CaissonConfig, ports: readonly number[]): readonly Address[] {
  return gateway.listeners
    .flatMap((listener, index) => waysIn(listener, ports[index] ?? listener.port, gateway.hosts))
    .sort((a, b) => Number(b.push !== undefined) - Number(a.push !== undefined))
}

function waysIn(listener: Listener, port: number, hosts: CaissonConfig['gateway']['hosts']): readonly Address[] {
  const scheme = listener.tls ? 'https' : 'http'
  const withPort = (host: string) => (port === (listener.tls ? 443 : 80) ? host : `${host}:${port}`)
  const address = (host: string, meaning: string, push?: string): Address => ({
    url: `${scheme}://${withPort(host)}`,
    host: withPort(host),
    meaning,
    push: push === undefined ? undefined : `${withPort(host)}/${push}`,
  })
  if (listener.redirect) return [address('localhost', 'redirects to https')]
  if (listener.target?.kind === 'repository') {
    const { v1, v2 } = listener.target
    return [
      address(
        'localhost',
        v1 === v2 ? `repository ${v2}` : `/v1/ from ${v1 ?? 'nowhere'}, /v2/ from ${v2 ?? 'nowhere'}`,
        'hello:1',
      ),
    ]
  }
  return Object.entries(hosts).map(([host, target]) => {
    switch (target.kind) {
      case 'repository':
        return address(host, `repository ${target.v2 ?? target.v1}`, 'hello:1')
      case 'host':
        return address(host, 'the repository that stands for *')
      case 'path':
        return address(host, `${withPort(host)}/<repository>/<image>`)
    }
  })
}
