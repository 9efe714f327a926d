import { canonicalHost, type GatewayConfig, type Target } from '../gateway/config.ts'
import type { LdapConfig, RegistryConfig } from '../registry/config.ts'
import { RegistryError } from '../registry/domain/errors.ts'
import { isLoopback, parseLdapUrl } from '../registry/domain/ldap-url.ts'
import { unknownRepository } from '../registry/domain/permission-target.ts'
import { parseTokenScope } from '../registry/identity/token-scope.ts'
import { isAddressRange } from '../wire/address-ranges.ts'
import { suggestion } from '../registry/domain/nearest.ts'
import type { ConfigProblem } from './config-problem.ts'
import { memberLoops, wrongMembers } from './member-checks.ts'

interface Sections {
  readonly gateway: GatewayConfig
  readonly registry: RegistryConfig
}

/** What a schema cannot say: things that must fit together. */
export function checkConfig({ gateway, registry }: Sections): readonly ConfigProblem[] {
  return [
    ...portsTwice(gateway),
    ...redirectsWithoutTls(gateway),
    ...(servesItself({ gateway, registry })
      ? [...unknownRepositories(gateway, registry), ...contextsApart({ gateway, registry })]
      : []),
    ...wrongMembers(registry),
    ...memberLoops(registry),
    ...targetsOfUnknown(registry),
    ...wrongScopes(registry),
    ...(registry.ldap ? ldapProblems(registry.ldap) : []),
    ...noAddresses('gateway', gateway.trustedProxies),
    ...noAddresses('registry', registry.trustedProxies),
  ]
}

/** Whether the gateway's upstream is the registry of the same file, and not somebody else's. */
export function servesItself({ gateway, registry }: Sections): boolean {
  return registry.listen.includes(gateway.upstream.replace(/^http:\/\//, ''))
}

/** YAML itself refuses only keys that are the same to the letter. */
export function hostsTwice(hosts: readonly string[]): readonly ConfigProblem[] {
  return hosts.flatMap((host, index) => {
    const first = hosts.find((other) => canonicalHost(other) === canonicalHost(host))
    if (first === undefined || hosts.indexOf(first) === index) return []
    return [
      {
        path: ['gateway', 'hosts', host],
        message: `gateway.hosts: "${host}" and "${first}" are the same host; keep one of the two routes`,
      },
    ]
  })
}

function portsTwice({ listeners }: GatewayConfig): readonly ConfigProblem[] {
  return listeners.flatMap(({ port, address }, index) => {
    const first = listeners.findIndex(
      (other) =>
        other.port === port && (other.address === address || other.address === undefined || address === undefined),
    )
    if (port === 0 || first === index) return []
    return [
      {
        path: ['gateway', 'listeners', index, 'port'],
        message: `port ${port} already belongs to gateway.listeners.${first}; give this listener another port or address`,
      },
    ]
  })
}

function redirectsWithoutTls({ listeners }: GatewayConfig): readonly ConfigProblem[] {
  if (listeners.some(({ tls }) => tls)) return []
  return listeners.flatMap(({ redirect }, index) =>
    redirect
      ? [
          {
            path: ['gateway', 'listeners', index, 'redirect'],
            message: 'redirect: https needs a listener that speaks TLS',
          },
        ]
      : [],
  )
}

function contextsApart({ gateway, registry }: Sections): readonly ConfigProblem[] {
  if (gateway.context === registry.context) return []
  return [
    {
      path: ['gateway', 'context'],
      message: `gateway.context is "${gateway.context}" but registry.context is "${registry.context}"; they must be the same`,
    },
  ]
}

function unknownRepositories(
  { listeners, hosts }: GatewayConfig,
  { repositories }: RegistryConfig,
): readonly ConfigProblem[] {
  const known = Object.keys(repositories)
  const check = (target: Target | undefined, path: readonly PropertyKey[]) => [
    ...keysOf(target)
      .filter((key) => !known.includes(key))
      .map((key) => ({
        path,
        message: `${path.join('.')}: there is no repository "${key}" in registry.repositories${suggestion(key, known)}`,
      })),
    ...wrongApis(target, repositories).map((problem) => ({ path, message: `${path.join('.')}: ${problem}` })),
  ]
  return [
    ...listeners.flatMap(({ target }, index) => check(target, ['gateway', 'listeners', index])),
    ...Object.entries(hosts).flatMap(([host, target]) => check(target, ['gateway', 'hosts', host])),
  ]
}

/** Of a repository for each API; one for both answers by the one that it speaks. */
function wrongApis(target: Target | undefined, repositories: RegistryConfig['repositories']): readonly string[] {
  if (target?.kind !== 'repository' || target.v1 === target.v2) return []
  return (['v1', 'v2'] as const).flatMap((api) => {
    const [, repository] = Object.entries(repositories).find(([key]) => key === target[api]) ?? []
    const speaks = repository?.type === 'local' ? repository.apiVersion : 'v2'
    if (!repository || speaks === api) return []
    return [`${api}: ${target[api]} speaks the ${speaks} API; expected a repository with apiVersion ${api}`]
  })
}

function keysOf(target: Target | undefined): readonly string[] {
  if (target?.kind !== 'repository') return []
  return [...new Set([target.v1, target.v2])].filter((key) => key !== undefined)
}

function targetsOfUnknown({ permissions = {}, repositories }: RegistryConfig): readonly ConfigProblem[] {
  const known = Object.keys(repositories)
  return Object.entries(permissions).flatMap(([name, target]) => {
    const problem = unknownRepository(target.repositories, known)
    const path = ['registry', 'permissions', name, 'repositories']
    return problem === undefined ? [] : [{ path, message: `${path.join('.')}: ${problem}` }]
  })
}

function wrongScopes({ oidc }: RegistryConfig): readonly ConfigProblem[] {
  return Object.entries(oidc).flatMap(([provider, { workload }]) =>
    (workload?.rules ?? []).flatMap(({ scope }, index) => {
      const problem = scope === undefined ? undefined : problemWithScope(scope)
      const path = ['registry', 'oidc', provider, 'workload', 'rules', index, 'scope']
      return problem === undefined ? [] : [{ path, message: `${path.join('.')}: ${problem}` }]
    }),
  )
}

function problemWithScope(scope: string): string | undefined {
  try {
    parseTokenScope(scope)
    return undefined
  } catch (error) {
    if (error instanceof RegistryError) return error.message
    throw error
  }
}

function ldapProblems(ldap: LdapConfig): readonly ConfigProblem[] {
  const problem = (key: keyof LdapConfig, message: string): ConfigProblem => ({
    path: ['registry', 'ldap', key],
    message: `registry.ldap.${key}: ${message}`,
  })
  const needsGroups = (['groupMapping', 'adminGroup'] as const).filter((key) => ldap[key] !== undefined && !ldap.groups)
  return [
    ...ldap.url
      .filter((url) => sendsPasswordsOpenly(url, ldap))
      .map((url) =>
        problem(
          'url',
          `passwords would go to ${url} for everyone on the way to read; use ldaps://, or startTls: true, or allow it with plaintext: true`,
        ),
      ),
    ...(ldap.startTls && ldap.url.some((url) => parseLdapUrl(url)?.tls)
      ? [problem('startTls', 'begins TLS on ldap:// connections; ldaps:// has it already')]
      : []),
    ...(ldap.bindDn !== undefined && ldap.bindPassword === undefined
      ? [problem('bindDn', 'needs a bindPassword; leave both out to search anonymously')]
      : []),
    ...(ldap.bindDn === undefined && ldap.bindPassword !== undefined
      ? [problem('bindPassword', 'needs a bindDn whose password it is')]
      : []),
    ...needsGroups.map((key) => problem(key, 'needs registry.ldap.groups, which says where groups are')),
  ]
}

function sendsPasswordsOpenly(url: string, { startTls, plaintext }: LdapConfig): boolean {
  const address = parseLdapUrl(url)
  return address !== undefined && !address.tls && !startTls && !plaintext && !isLoopback(address.host)
}

function noAddresses(section: keyof Sections, trustedProxies: readonly string[]): readonly ConfigProblem[] {
  return trustedProxies.flatMap((entry, index) => {
    if (isAddressRange(entry)) return []
    const path = [section, 'trustedProxies', index]
    return [{ path, message: `${path.join('.')}: expected an address or a range like 10.0.0.0/8` }]
  })
}
