import { Option, type Command } from 'commander'
import { registrySection, type RemoteConfig } from '../../registry/config.ts'
import { readSecret } from '../../registry/config/secret-value.ts'
import type { Login } from '../../registry/repositories/upstream/login.ts'
import type { RequestsOptions } from '../../registry/repositories/upstream/open-requests.ts'
import { firstLine } from '../ask-password.ts'

/** How one of the two registries is reached. */
export interface RegistryOptions {
  readonly user?: string
  /** Where the password stands: `stdin`, `env:NAME` or `file:path`. */
  readonly password?: string
  readonly ca?: string
  readonly plainHttp: boolean
  readonly insecure: boolean
  readonly context: string
  readonly tokenRealm: readonly string[]
}

type Side = 'source' | 'target'

/** Adds `--<side>-user` and so on. A password never stands among the arguments, where every user of the machine can read it. */
export function addRegistryOptions(command: Command, side: Side): Command {
  return command
    .option(`--${side}-user <name>`, `who logs in at the ${side} (default: anonymous)`)
    .option(`--${side}-password <where>`, 'where the password or access token stands: env:NAME, file:path or stdin')
    .option(`--${side}-ca <file>`, `PEM file of the authorities of the ${side}'s certificate`)
    .option(`--${side}-plain-http`, `speak HTTP with the ${side}, without TLS`, false)
    .addOption(new Option(`--${side}-insecure`, `believe whatever certificate the ${side} has`).default(false))
    .option(`--${side}-context <path>`, 'path before /v2/ or /v1/, like /artifactory/api/docker/docker-local', '')
    .option(`--${side}-token-realm <host...>`, `host of another domain that may see the ${side}'s password`, [])
}

export function registryOptions(all: Readonly<Record<string, unknown>>, side: Side): RegistryOptions {
  const of = (name: string) => all[`${side}${name}`]
  return {
    user: of('User'),
    password: of('Password'),
    ca: of('Ca'),
    plainHttp: of('PlainHttp'),
    insecure: of('Insecure'),
    context: of('Context'),
    tokenRealm: of('TokenRealm'),
  } as RegistryOptions
}

/** How long a registry may be silent: some put large blobs together before they answer. */
const silenceMs = 120_000

export function remoteConfigOf(host: string, { plainHttp, ca, context, tokenRealm }: RegistryOptions): RemoteConfig {
  const url = `${plainHttp ? 'http' : 'https'}://${host}${context.replace(/\/+$/, '')}`
  const wish = { type: 'remote', url, ca, tokenRealms: tokenRealm, socketTimeoutMillis: silenceMs }
  const [there] = Object.values(registrySection.shape.repositories.parse({ there: wish }))
  if (there?.type !== 'remote') throw new Error(`${url} cannot be asked`)
  return there
}

export async function requestsOptionsOf(options: RegistryOptions, side: Side): Promise<RequestsOptions> {
  const login = await loginOf(options, side)
  return { login, certificates: options.insecure ? 'any' : undefined }
}

async function loginOf({ user, password }: RegistryOptions, side: Side): Promise<Login | undefined> {
  if (user === undefined && password === undefined) return undefined
  if (user === undefined || password === undefined)
    throw new Error(`--${side}-user and --${side}-password belong together`)
  return { kind: 'password', username: user, password: await readPassword(password, side) }
}

async function readPassword(where: string, side: Side): Promise<string> {
  const [, kind, name = ''] = /^(stdin|env:|file:)(.*)$/s.exec(where) ?? []
  switch (kind) {
    case 'stdin':
      return await firstLine()
    case 'env:':
      return await readSecret({ env: name })
    case 'file:':
      return await readSecret({ file: name })
    default:
      throw new Error(
        `--${side}-password: expected env:NAME, file:path or stdin; the password itself would be seen by others here`,
      )
  }
}
