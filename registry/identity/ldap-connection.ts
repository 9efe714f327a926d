import { Client, type Entry } from 'ldapts'
import { once } from 'node:events'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, type SecureContext } from 'node:tls'
import type { LdapAddress } from '../domain/ldap-url.ts'

export interface LdapEndpoint {
  readonly address: LdapAddress
  readonly startTls: boolean
  readonly trust: SecureContext
}

export interface LdapQuery {
  readonly base: string
  readonly filter: string
  readonly attributes: readonly string[]
  /** One more entry than that says no more than that there are too many. Default: whatever the server allows. */
  readonly maxEntries?: number
}

/** RFC 4511 §4.14. */
const startTlsRequest = '1.3.6.1.4.1.1466.20037'
/** Less than the quarter of an hour and more after which firewalls forget a connection and tell nobody. */
const maxIdleMs = 60_000

/**
 * One connection, verified where it has TLS. It ends, and nothing else does, when `signal` tells that an answer took too
 * long. It does not come back: the client would connect again without TLS, and as nobody.
 */
export class LdapConnection implements AsyncDisposable {
  readonly #socket: Socket
  readonly #client: Client

  private constructor(socket: Socket) {
    this.#socket = socket
    this.#client = clientOn(socket)
    socket.setTimeout(maxIdleMs, () => socket.destroy())
  }

  static async open({ address, startTls, trust }: LdapEndpoint, signal: AbortSignal): Promise<LdapConnection> {
    signal.throwIfAborted()
    const { host, port, tls } = address
    const tcp = connectTcp({ host, port })
    await reached('connect', tcp, signal)
    if (startTls) await askForTls(tcp, signal)
    if (!tls && !startTls) return new LdapConnection(tcp)
    const servername = isIP(host) === 0 ? { servername: host } : {}
    const secure = connectTls({ socket: tcp, host, ...servername, secureContext: trust })
    await reached('secureConnect', secure, signal)
    return new LdapConnection(secure)
  }

  get usable(): boolean {
    return this.#socket.readyState === 'open'
  }

  /** Throws a ResultCodeError when the server refuses. */
  async bind(dn: string, password: string, signal: AbortSignal): Promise<void> {
    await answered(this.#client.bind(dn, password), this.#socket, signal)
  }

  /** References to other servers are not followed. Throws a ResultCodeError when the server refuses. */
  async search({ base, filter, attributes, maxEntries }: LdapQuery, signal: AbortSignal): Promise<readonly Entry[]> {
    const limit = maxEntries === undefined ? {} : { sizeLimit: maxEntries + 1 }
    const options = { filter, attributes: [...attributes], ...limit }
    const { searchEntries } = await answered(this.#client.search(base, options), this.#socket, signal)
    return searchEntries
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A courtesy (RFC 4511 §4.3), without an answer; the connection ends in any case.
    await this.#client.unbind().catch(() => undefined)
    this.#socket.destroy()
  }
}

/** The values that are text. */
export function textsOf(entry: Entry, attribute: string): readonly string[] {
  const key = Object.keys(entry).find((key) => key.toLowerCase() === attribute.toLowerCase())
  const values = key === undefined ? [] : [entry[key]].flat()
  return values.filter((value) => typeof value === 'string')
}

/** A client of its own for the plain part: what somebody slipped in behind the answer is not taken for the secure part. */
async function askForTls(tcp: Socket, signal: AbortSignal): Promise<void> {
  await answered(clientOn(tcp).exop(startTlsRequest), tcp, signal)
  tcp.removeAllListeners('data')
}

function clientOn(socket: Socket): Client {
  let taken = false
  const createConnection = (): Socket => {
    if (taken || socket.destroyed) throw new Error('the connection to the LDAP server has ended')
    taken = true
    return socket
  }
  return new Client({ url: 'ldap://connected', createConnection })
}

async function reached(event: 'connect' | 'secureConnect', socket: Socket, signal: AbortSignal): Promise<void> {
  // Errors between here and the first request have no other listener.
  socket.on('error', () => undefined)
  try {
    await once(socket, event, { signal })
  } catch (error) {
    socket.destroy()
    throw signal.aborted ? signal.reason : error
  }
}

async function answered<answer>(asked: Promise<answer>, socket: Socket, signal: AbortSignal): Promise<answer> {
  const giveUp = () => socket.destroy()
  if (signal.aborted) giveUp()
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    return await asked
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}
