import { relative, resolve } from 'node:path'
import type { Listener } from '../gateway/config.ts'
import type { CaissonConfig } from './config.ts'
import { servesItself } from './config-checks.ts'
import type { Readiness } from './messages.ts'
import { version } from './version.ts'

interface Started {
  readonly config: CaissonConfig
  readonly ports: readonly number[]
  readonly firstAdmin: Readiness['firstAdmin']
  /** Whether the password that an earlier start made is still in its file. */
  readonly keptPassword: boolean
}

/** What a person needs next, once everything runs. */
export function banner({ config, ports, firstAdmin, keptPassword }: Started): string {
  const addresses = addressesOf(config, ports)
  const data = shortest(config.dataDirectory)
  const first = addresses.find(({ push }) => push !== undefined)
  const sections = [
    [`Caisson ${version} serves; everything is kept in ${data}/`],
    addresses.map(({ url, meaning }) => `  ${url.padEnd(42)} ${meaning}`),
    firstAdmin
      ? adminLines(firstAdmin, data)
      : keptPassword && [`Login: admin, first password in ${data}/admin-password`],
    first?.push && [
      'A first push:',
      `  docker login ${first.host} -u admin`,
      `  docker tag <an image you have> ${first.push}`,
      `  docker push ${first.push}`,
    ],
    config.gateway.certificates === 'selfSigned' && [
      'The certificate is from an authority of its own. docker trusts localhost without it; for other machines',
      `  ${trustCommand(config)}     shows how every client learns of ${data}/certs/ca.crt`,
    ],
  ]
  return sections
    .filter((lines) => Array.isArray(lines))
    .map((lines) => lines.join('\n'))
    .join('\n\n')
}

/** As it must be typed in the directory and for the data of this start. */
function trustCommand({ file, dataDirectory }: CaissonConfig): string {
  const program = import.meta.url.endsWith('.ts') ? 'npm run caisson --' : 'caisson'
  const configOption = file === undefined || file === resolve('caisson.yaml') ? '' : ` --config ${shortest(file)}`
  const dataOption = dataDirectory === resolve('data') ? '' : ` --data ${shortest(dataDirectory)}`
  return `${program} certs trust${configOption}${dataOption}`
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

/** Every way in: each listener's own repository, or the hosts on it; the shortest name to push under first. */
function addressesOf(config: CaissonConfig, ports: readonly number[]): readonly Address[] {
  return config.gateway.listeners
    .flatMap((listener, index) => waysIn(listener, ports[index] ?? listener.port, config))
    .sort((a, b) => segments(a) - segments(b))
}

function segments({ push }: Address): number {
  return push?.split('/').length ?? Number.MAX_SAFE_INTEGER
}

function waysIn(listener: Listener, port: number, config: CaissonConfig): readonly Address[] {
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
  return Object.entries(config.gateway.hosts).map(([host, target]) => {
    switch (target.kind) {
      case 'repository':
        return address(host, `repository ${target.v2 ?? target.v1}`, 'hello:1')
      case 'host':
        return address(host, 'the repository that stands for *')
      case 'path':
        return address(host, `${withPort(host)}/<repository>/<image>`, pushByPath(config))
    }
  })
}

/** Below the first repository of our own that takes images. */
function pushByPath({ gateway, registry }: CaissonConfig): string | undefined {
  if (!servesItself({ gateway, registry })) return undefined
  const repositories = Object.entries(registry.repositories)
  const local = repositories.find(([, repository]) => repository.type === 'local' && repository.apiVersion === 'v2')
  return local && `${local[0]}/hello:1`
}
