import { ResultCodeError, type Entry } from 'ldapts'
import { atMost } from './at-most.ts'
import { LdapConnection, type LdapEndpoint, type LdapQuery } from './ldap-connection.ts'

/** Who searches. The password is asked for at each connection, so that a new one counts without a restart. */
export interface ServiceAccount {
  readonly dn: string
  password(): Promise<string>
}

/** Each has a connection of its own: a flood of wrong passwords must not be one for the directory. */
const concurrentBinds = 16

/** RFC 4511 §A.2: the answers that are about who binds, and not about the server. */
const refusals: ReadonlySet<number> = new Set([
  19, // constraintViolation: too many wrong passwords, at some servers
  32, // noSuchObject: removed since it was found
  48, // inappropriateAuthentication: has no password
  49, // invalidCredentials
  53, // unwillingToPerform: locked, at some servers
])

/** One server of the directory, and the one connection that is kept for searching. */
export class LdapServer implements AsyncDisposable {
  readonly #endpoint: LdapEndpoint
  readonly #account: ServiceAccount | undefined
  readonly #bindInTurn = atMost(concurrentBinds)
  #kept: Promise<LdapConnection> | undefined = undefined

  constructor(endpoint: LdapEndpoint, account: ServiceAccount | undefined) {
    this.#endpoint = endpoint
    this.#account = account
  }

  async search(query: LdapQuery, signal: AbortSignal): Promise<readonly Entry[]> {
    const kept = this.#kept
    const connection = await kept?.catch(() => undefined)
    if (connection?.usable) {
      try {
        return await connection.search(query, signal)
      } catch (error) {
        // What broke may have been broken for long; what the server refuses, and what took too long, is not asked again.
        if (connection.usable || signal.aborted) throw error
      }
    }
    await connection?.[Symbol.asyncDispose]()
    if (this.#kept === undefined || this.#kept === kept) this.#kept = this.#connect(signal)
    const fresh = await this.#kept
    return await fresh.search(query, signal)
  }

  /** Undefined when it is the password; else what the server says against it. */
  async refusal(dn: string, password: string, signal: AbortSignal): Promise<ResultCodeError | undefined> {
    return await this.#bindInTurn(async () => {
      await using connection = await LdapConnection.open(this.#endpoint, signal)
      try {
        await connection.bind(dn, password, signal)
        return undefined
      } catch (error) {
        if (error instanceof ResultCodeError && refusals.has(error.code)) return error
        throw error
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const connection = await this.#kept?.catch(() => undefined)
    await connection?.[Symbol.asyncDispose]()
  }

  async #connect(signal: AbortSignal): Promise<LdapConnection> {
    await using opened = new AsyncDisposableStack()
    const connection = opened.use(await LdapConnection.open(this.#endpoint, signal))
    if (this.#account) await connection.bind(this.#account.dn, await this.#account.password(), signal)
    opened.move()
    return connection
  }
}
