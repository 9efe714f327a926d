import type { Logger } from 'pino'
import { startRegistry } from '../registry/start.ts'
import type { CaissonConfig } from './config.ts'
import { version } from './version.ts'
import type { Running } from './running.ts'

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
