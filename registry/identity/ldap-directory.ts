import type { Entry, ResultCodeError } from 'ldapts'
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Logger } from 'pino'
import type { LdapConfig } from '../config.ts'
import { milliseconds } from '../domain/duration.ts'
import { RegistryError } from '../domain/errors.ts'
import { parseLdapUrl } from '../domain/ldap-url.ts'
import { readSecret } from '../config/secret-value.ts'
import type { LdapQuery } from './ldap-connection.ts'
import { LdapServer, type ServiceAccount } from './ldap-server.ts'

/** One server, for as long as it may take. */
export interface AskedServer {
  search(query: LdapQuery): Promise<readonly Entry[]>
  /** Undefined when it is the password; else what the server says against it. */
  refusal(dn: string, password: string): Promise<ResultCodeError | undefined>
}

interface NamedServer {
  readonly url: string
  readonly server: LdapServer
}

/** Servers that are equals. The one that answered last is asked first; when it cannot be asked the others are. */
export class LdapDirectory implements AsyncDisposable {
  readonly #log: Logger
  readonly #timeout: string
  #servers: readonly NamedServer[]

  private constructor(servers: readonly NamedServer[], timeout: string, log: Logger) {
    this.#servers = servers
    this.#timeout = timeout
    this.#log = log
  }

  /** Asks no server yet. Throws when what the configuration names cannot be read. */
  static async open(config: LdapConfig, log: Logger): Promise<LdapDirectory> {
    const account = await serviceAccountOf(config)
    const trust = await trustOf(config)
    const servers = config.url.map((url) => {
      const address = parseLdapUrl(url)
      if (!address) throw new Error(`${url} is not the address of an LDAP server`)
      return { url, server: new LdapServer({ address, startTls: config.startTls, trust }, account) }
    })
    return new LdapDirectory(servers, config.timeout, log)
  }

  /** `question` may be asked of several servers. Throws UNAVAILABLE when none answers it. */
  async ask<answer>(question: (asked: AskedServer) => Promise<answer>): Promise<answer> {
    let cause: unknown
    for (const asked of this.#servers) {
      const signal = AbortSignal.timeout(milliseconds(this.#timeout))
      try {
        const answer = await question({
          search: (query) => asked.server.search(query, signal),
          refusal: (dn, password) => asked.server.refusal(dn, password, signal),
        })
        this.#servers = [asked, ...this.#servers.filter((other) => other !== asked)]
        return answer
      } catch (error) {
        const what = signal.aborted ? `did not answer within ${this.#timeout}` : 'cannot be asked'
        this.#log.error({ err: error, server: asked.url }, `an LDAP server ${what}`)
        cause = error
      }
    }
    throw new RegistryError('UNAVAILABLE', { message: 'the directory of users cannot be asked at the moment', cause })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map(({ server }) => server[Symbol.asyncDispose]()))
  }
}

async function serviceAccountOf({ bindDn, bindPassword }: LdapConfig): Promise<ServiceAccount | undefined> {
  if (bindDn === undefined || bindPassword === undefined) return undefined
  const password = () => readSecret(bindPassword)
  await password()
  return { dn: bindDn, password }
}

async function trustOf({ ca }: LdapConfig): Promise<SecureContext> {
  if (ca === undefined) return createSecureContext()
  try {
    const pem = await readFile(ca)
    void new X509Certificate(pem)
    return createSecureContext({ ca: pem })
  } catch (cause) {
    throw new Error(`${ca}: registry.ldap.ca is no file of certificates in PEM (${String(cause)})`, { cause })
  }
}
