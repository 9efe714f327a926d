import https from 'node:https'
import type { Logger } from 'pino'
import { compileAddressRanges } from '../wire/address-ranges.ts'
import { openAccessLog } from './access-log.ts'
import type { GatewayConfig, Listener } from './config.ts'
import { drain } from './drain.ts'
import { createForward } from './forward.ts'
import type { Gate } from './gate.ts'
import { InFlight } from './in-flight.ts'
import { listen } from './listen.ts'
import { createServer, type SecureServer } from './server.ts'
import { compileRoutes } from './routes.ts'
import { createSendfile } from './sendfile.ts'
import type { ServerCertificates } from './server-certificates.ts'
import { openUpstream } from './upstream.ts'

export interface GatewayParts {
  /** With absolute paths: `unix:/…` and the access log's file. */
  readonly config: GatewayConfig
  readonly certificates: ServerCertificates
  /** Only files below these directories are ever sent. */
  readonly sendfileRoots: readonly string[]
  /** 48 bytes, the same in all workers. */
  readonly ticketKeys: Buffer
  readonly log: Logger
}

export interface Gateway {
  readonly listening: readonly { readonly port: number; readonly listener: Listener }[]
  setTicketKeys(keys: Buffer): void
  reopenLogs(): void
  /** Accepts no more, lets transfers in flight finish for `drainSeconds`, then breaks them off. */
  stop(): Promise<void>
}

/** Rejects, with everything closed again, when a port cannot be had. */
export async function startGateway(parts: GatewayParts): Promise<Gateway> {
  const { config, certificates, log } = parts
  const routes = compileRoutes(config)
  const isTrusted = compileAddressRanges(config.trustedProxies, 'gateway.trustedProxies')
  const upstream = openUpstream(config.upstream)
  const idleMs = config.idleTimeoutSeconds * 1000
  const sendfile = parts.sendfileRoots.length === 0 ? undefined : createSendfile(parts.sendfileRoots)
  const accessLog = await openAccessLog(config.accessLog, log)
  const gate: Gate = {
    routes,
    forward: createForward({ upstream, idleMs, sendfile, log }),
    isTrusted,
    accessLog,
    inFlight: new InFlight(),
    log,
    authority: () => certificates.authority(),
    securePort: () => listening.find(({ listener }) => listener.tls)?.port,
  }
  const servers = config.listeners.map((listener) => ({
    listener,
    server: createServer({ listener, gate, certificates, ticketKeys: parts.ticketKeys, idleMs, log }),
  }))
  const close = async () => {
    upstream.agent.destroy()
    await accessLog.close()
  }
  const listening: { readonly port: number; readonly listener: Listener }[] = []
  try {
    for (const [index, { listener, server }] of servers.entries()) {
      listening.push({ port: await listen(server, listener, index), listener })
    }
  } catch (error) {
    servers.forEach(({ server }) => server.close())
    await close()
    throw error
  }
  let stopped: Promise<void> | undefined
  const stop = async () => {
    gate.inFlight.closeConnections()
    await Promise.all(servers.map(({ server }) => drain(server, config.drainSeconds)))
    await gate.inFlight.none()
    await close()
  }
  certificates.onChange(() => secure(servers).forEach((server) => server.setSecureContext(certificates.fallback())))
  return {
    listening,
    setTicketKeys: (keys) => secure(servers).forEach((server) => server.setTicketKeys(keys)),
    reopenLogs: () => accessLog.reopen(),
    stop: () => (stopped ??= stop()),
  }
}

function secure(servers: readonly { readonly server: object }[]): readonly SecureServer[] {
  return servers.map(({ server }) => server).filter((server): server is SecureServer => server instanceof https.Server)
}
