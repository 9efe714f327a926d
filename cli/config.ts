import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { isMap, isNode, isScalar, LineCounter, parseDocument, type Document } from 'yaml'
import type { GatewayConfig } from '../gateway/config.ts'
import type { RegistryConfig, RepositoryConfig } from '../registry/config.ts'
import { checkConfig, hostsTwice } from './config-checks.ts'
import type { ConfigProblem } from './config-problem.ts'
import { explainIssues } from './config-issues.ts'
import { configSchema } from './config-schema.ts'

/** The effective configuration: validated, with every default filled in and every path absolute. */
export interface CaissonConfig {
  /** The file it came from; undefined when there is none and everything is default. */
  readonly file: string | undefined
  /** Everything that is kept lies below it. */
  readonly dataDirectory: string
  readonly gateway: GatewayConfig
  readonly registry: RegistryConfig
}

/** The configuration is not usable; the message has a line per problem: file, line, column, key, what was expected. */
export class ConfigError extends Error {}

const defaultFile = 'caisson.yaml'

/**
 * Reads `--config` (or `./caisson.yaml` when it is there) and `--data` (or `./data`). Relative paths in the file are
 * relative to it, but a path that starts with `data/` lies in the data directory. Throws {@link ConfigError}.
 */
export async function loadConfig(options: { config?: string; data?: string }): Promise<CaissonConfig> {
  const file = options.config ?? (existsSync(defaultFile) ? defaultFile : undefined)
  const text = file === undefined ? '' : await readConfig(file)
  const { gateway, registry } = parseConfig(text, file ?? 'defaults')
  const dataDirectory = resolve(options.data ?? 'data')
  const base = file === undefined ? process.cwd() : dirname(resolve(file))
  const absolute = (path: string) => {
    if (isAbsolute(path)) return path
    return path.startsWith('data/') ? join(dataDirectory, path.slice('data/'.length)) : join(base, path)
  }
  return {
    file: file === undefined ? undefined : resolve(file),
    dataDirectory,
    gateway: gatewayWithPaths(gateway, absolute),
    registry: registryWithPaths(registry, absolute),
  }
}

async function readConfig(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new ConfigError(`${file}: the configuration cannot be read (${String(error)}); name another with --config`, {
      cause: error,
    })
  }
}

/** Throws {@link ConfigError} that names `file`. */
export function parseConfig(text: string, file: string): { gateway: GatewayConfig; registry: RegistryConfig } {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const at = (problem: ConfigProblem) => `${file}:${position(document, lines, problem)}: ${problem.message}`

  const [broken] = document.errors
  if (broken) {
    const { line, col } = lines.linePos(broken.pos[0])
    throw new ConfigError(`${file}:${line}:${col}: not readable as YAML: ${broken.message}`)
  }
  const content = contentOf(document, file)
  const parsed = configSchema.safeParse(content)
  const problems = [
    ...hostsTwice(keysAt(document, ['gateway', 'hosts'])),
    ...(parsed.success ? checkConfig(parsed.data) : explainIssues(parsed.error.issues)),
  ]
  if (problems.length > 0) throw new ConfigError(problems.map(at).join('\n'))
  if (!parsed.success) throw new ConfigError(`${file}: ${parsed.error.message}`)
  return parsed.data
}

/** Aliases are followed only here: one may name nothing, or unfold into more than any configuration is. */
function contentOf(document: Document, file: string): unknown {
  try {
    return document.toJS() ?? {}
  } catch (error) {
    throw new ConfigError(`${file}: not readable as YAML: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}

function keysAt(document: Document, path: readonly string[]): readonly string[] {
  const node = document.getIn(path, true)
  return isMap(node) ? node.items.map(({ key }) => String(key)) : []
}

/** `line:column` of the key or value that a problem is about, or of the nearest thing around it that stands in the file. */
function position(document: Document, lines: LineCounter, { path }: ConfigProblem): string {
  for (let length = path.length; length > 0; length--) {
    const key = path[length - 1]
    const parent = document.getIn(path.slice(0, length - 1), true)
    const offset = offsetOfKey(parent, key) ?? offsetOf(document.getIn(path.slice(0, length), true))
    if (offset !== undefined) {
      const { line, col } = lines.linePos(offset)
      return `${line}:${col}`
    }
  }
  return '1:1'
}

function offsetOfKey(map: unknown, key: unknown): number | undefined {
  if (!isMap(map)) return undefined
  const pair = map.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(key))
  return offsetOf(pair?.key)
}

function offsetOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined
}

type Absolute = (path: string) => string

function gatewayWithPaths(gateway: GatewayConfig, absolute: Absolute): GatewayConfig {
  const { certificates, accessLog } = gateway
  return {
    ...gateway,
    upstream: addressWithPath(gateway.upstream, absolute),
    certificates:
      certificates === 'selfSigned'
        ? certificates
        : Array.isArray(certificates)
          ? certificates.map(({ cert, key }) => ({ cert: absolute(cert), key: absolute(key) }))
          : { directory: absolute(certificates.directory) },
    accessLog: {
      ...accessLog,
      file: ['stdout', 'off'].includes(accessLog.file) ? accessLog.file : absolute(accessLog.file),
    },
  }
}

function registryWithPaths(registry: RegistryConfig, absolute: Absolute): RegistryConfig {
  const { htpasswd, ldap, ...rest } = withSecretPaths(registry, absolute)
  return {
    ...rest,
    ...(htpasswd && { htpasswd: { ...htpasswd, file: absolute(htpasswd.file) } }),
    ...(ldap && { ldap: ldap.ca === undefined ? ldap : { ...ldap, ca: absolute(ldap.ca) } }),
    listen: registry.listen.map((address) => addressWithPath(address, absolute)),
    storage: { filesystem: absolute(registry.storage.filesystem) },
    database: `sqlite:${absolute(registry.database.slice('sqlite:'.length))}`,
    audit: { ...registry.audit, file: registry.audit.file === 'off' ? 'off' : absolute(registry.audit.file) },
    oidc: oidcWithPaths(registry.oidc, absolute),
    repositories: Object.fromEntries(
      Object.entries(rest.repositories).map(([key, repository]) => [key, repositoryWithPaths(repository, absolute)]),
    ),
  }
}

function repositoryWithPaths(repository: RepositoryConfig, absolute: Absolute): RepositoryConfig {
  if (repository.type !== 'remote') return repository
  const { ca, clientCertificate: pair } = repository
  return {
    ...repository,
    ...(ca !== undefined && { ca: absolute(ca) }),
    ...(pair && { clientCertificate: { cert: absolute(pair.cert), key: absolute(pair.key) } }),
  }
}

/** A claim may be called `file`: only what is a secret has the path of one. */
function oidcWithPaths(oidc: RegistryConfig['oidc'], absolute: Absolute): RegistryConfig['oidc'] {
  return Object.fromEntries(
    Object.entries(oidc).map(([name, provider]) => {
      const { ca, clientSecret } = provider
      return [
        name,
        {
          ...provider,
          ...(ca === undefined ? {} : { ca: absolute(ca) }),
          ...(clientSecret === undefined ? {} : { clientSecret: withSecretPaths(clientSecret, absolute) }),
        },
      ]
    }),
  )
}

function addressWithPath(address: string, absolute: Absolute): string {
  return address.startsWith('unix:') ? `unix:${absolute(address.slice('unix:'.length))}` : address
}

/** Wherever a secret is said to lie in a file: `{ file: path }` and nothing else. */
function withSecretPaths<value>(value: value, absolute: Absolute): value
function withSecretPaths(value: unknown, absolute: Absolute): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item: unknown) => withSecretPaths(item, absolute))
  const entries = Object.entries(value)
  const [only] = entries
  if (entries.length === 1 && only?.[0] === 'file' && typeof only[1] === 'string') return { file: absolute(only[1]) }
  return Object.fromEntries(entries.map(([key, inner]) => [key, withSecretPaths(inner, absolute)]))
}
