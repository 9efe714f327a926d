import { processLog } from './log.ts'
import type { Order, Report } from './messages.ts'
import type { Running } from './running.ts'

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

/** Each loads its own half of the product and no more: less memory, and less for every garbage collection to walk. */
async function start(order: Extract<Order, { start: string }>): Promise<Running> {
  process.title = `caisson ${order.start}` // what ps and top show
  const log = processLog(order.start)
  switch (order.start) {
    case 'registry': {
      const { runRegistry } = await import('./run-registry.ts')
      return await runRegistry(order.config, order.adminPassword, log)
    }
    case 'gateway': {
      const { runGateway } = await import('./run-gateway.ts')
      return await runGateway(order.config, Buffer.from(order.ticketKeys, 'base64'), log)
    }
  }
}
