import { join } from 'node:path'
import type { Logger } from 'pino'
import { openServerCertificates } from '../certs/store.ts'
import { startGateway } from '../gateway/start.ts'
import { startRegistry } from '../registry/start.ts'
import type { CaissonConfig } from './config.ts'
import { servesItself } from './config-checks.ts'
import { processLog } from './log.ts'
import type { Order, Readiness, Report } from './messages.ts'
import { version } from './version.ts'

interface Running {
  readonly readiness: Readiness
  setTicketKeys?(keys: Buffer): void
  reopenLogs?(): void
  stop(): Promise<void>
}

/**
 * The life of a supervised process: it waits for its order, runs the gateway or the registry, and ends when told to or
 * when the supervisor is gone. Signals are the supervisor's business: a terminal sends Ctrl-C to the whole group, and
 * the transfers in flight must not die of it.
 */
export function runWorker(): void {
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => {})
  process.on('disconnect', () => process.exit(0))

  let running: Running | undefined
  const obey = async (order: Order) => {
    if ('start' in order) {
      running = await start(order)
      report({ ready: running.readiness })
    } else if ('stop' in order) {
      await running?.stop()
      process.exit(0)
    } else if ('reopenLogs' in order) {
      running?.reopenLogs?.()
    } else {
      running?.setTicketKeys?.(Buffer.from(order.ticketKeys, 'base64'))
    }
  }
  process.on('message', (order: Order) => {
    obey(order).catch((error: unknown) => {
      report({ failed: error instanceof Error ? error.message : String(error) })
    })
  })
  report({ awake: true })
}

function report(message: Report): void {
  process.send?.(message)
}

async function start(order: Extract<Order, { start: string }>): Promise<Running> {
  process.title = `caisson ${order.start}` // what ps and top show
  const log = processLog(order.start)
  switch (order.start) {
    case 'registry':
      return await runRegistry(order.config, order.adminPassword, log)
    case 'gateway':
      return await runGateway(order.config, Buffer.from(order.ticketKeys, 'base64'), log)
  }
}

/** Also what `caisson registry` does by itself. */
export async function runRegistry(
  config: CaissonConfig,
  adminPassword: string | undefined,
  log: Logger,
): Promise<Running> {
  const registry = await startRegistry({
    config: config.registry,
    dataDirectory: config.dataDirectory,
    log,
    version,
    ...(adminPassword === undefined ? {} : { firstAdminPassword: adminPassword }),
  })
  const { firstAdmin } = registry
  return { readiness: firstAdmin ? { firstAdmin } : {}, stop: () => registry.stop() }
}

async function runGateway(config: CaissonConfig, ticketKeys: Buffer, log: Logger): Promise<Running> {
  const certificates = await openServerCertificates({
    certificates: config.gateway.certificates,
    directory: join(config.dataDirectory, 'certs'),
    log,
  })
  const gateway = await startGateway({
    config: config.gateway,
    certificates,
    sendfileRoot: servesItself(config) ? config.registry.storage.filesystem : undefined,
    ticketKeys,
    log,
  })
  return {
    readiness: { ports: gateway.listening.map(({ port }) => port) },
    setTicketKeys: (keys) => gateway.setTicketKeys(keys),
    reopenLogs: () => gateway.reopenLogs(),
    stop: async () => {
      await gateway.stop()
      await certificates[Symbol.asyncDispose]()
    },
  }
}
