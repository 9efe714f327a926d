import http from 'node:http'
import https from 'node:https'
import { isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { readOnAfterWriteErrors } from './late-answers.ts'

/** The registry behind the gateway, and the connections to it. */
export interface Upstream {
  /** For people. */
  readonly name: string
  /** In the form that http-proxy takes. */
  readonly target: {
    readonly protocol: string
    readonly host: string
    readonly port: number
    readonly socketPath?: string
  }
  /** Where it may name itself in URLs; undefined on a Unix socket. */
  readonly authority: string | undefined
  readonly agent: http.Agent
  /** For a second try, which must not meet another connection that was closed meanwhile. */
  readonly freshAgent: http.Agent
}

const maxIdleConnections = 256

/** `unix:/absolute/path` or `http(s)://host:port`. */
export function openUpstream(address: string): Upstream {
  if (address.startsWith('unix:')) {
    const socketPath = address.slice('unix:'.length)
    return {
      name: address,
      target: { protocol: 'http:', host: 'localhost', port: 80, socketPath },
      authority: undefined,
      agent: new PlainAgent(pooled),
      freshAgent: new PlainAgent({}),
    }
  }
  const { protocol, host, hostname, port } = new URL(address)
  const secure = protocol === 'https:'
  const name = hostname.replace(/^\[|\]$/g, '')
  // Without it Node would take the server's name from the Host header, which is the client's.
  const servername = isIP(name) ? '' : name
  return {
    name: address,
    target: { protocol, host: name, port: Number(port) || (secure ? 443 : 80) },
    authority: host,
    agent: secure ? new SecureAgent({ ...pooled, servername }) : new PlainAgent(pooled),
    freshAgent: secure ? new SecureAgent({ servername }) : new PlainAgent({}),
  }
}

const pooled = { keepAlive: true, scheduling: 'lifo', maxFreeSockets: maxIdleConnections } as const

class PlainAgent extends http.Agent {
  constructor(options: http.AgentOptions) {
    // Without TLS there is no server name, but Node would look for one in the Host header of every request.
    const nameless: https.AgentOptions = { ...options, servername: '' }
    super(nameless)
  }

  override createConnection(...given: Parameters<http.Agent['createConnection']>): Duplex | null | undefined {
    return prepared(super.createConnection(...given))
  }
}

class SecureAgent extends https.Agent {
  override createConnection(...given: Parameters<https.Agent['createConnection']>): Duplex | null | undefined {
    return prepared(super.createConnection(...given))
  }
}

function prepared(connection: Duplex | null | undefined): Duplex | null | undefined {
  if (connection && 'connecting' in connection) readOnAfterWriteErrors(connection as Socket)
  return connection
}
