import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { banner } from './banner.ts'
import { loadConfig } from './config.ts'
import { makeDirectories } from './data-directory.ts'
import { processLog } from './log.ts'
import { serve, type ServeOptions, type Serving } from './serve.ts'
import { runRegistry } from './run-registry.ts'

export function serveCommand(): Command {
  return new Command('serve')
    .description('run the gateway and the registry')
    .action(async (_options, command: Command) => await serveUntilStopped(command))
}

export function gatewayCommand(): Command {
  return new Command('gateway')
    .description('run the gateway alone, in front of the registry that gateway.upstream names')
    .action(async (_options, command: Command) => await serveUntilStopped(command, 'gateway'))
}

export function registryCommand(): Command {
  return new Command('registry')
    .description('run the registry alone, behind a proxy of yours')
    .action(async (_options, command: Command) => {
      const config = await loadConfig(command.optsWithGlobals())
      await makeDirectories(config)
      const log = processLog('registry')
      const registry = await runRegistry(config, adminPassword(), log)
      const { firstAdmin } = registry.readiness
      log.info({ listen: config.registry.listen }, 'ready')
      if (firstAdmin?.generated) {
        console.log(
          `Login: admin, password ${firstAdmin.password} (shown this once, kept in ${config.dataDirectory}/admin-password)`,
        )
      }
      await untilSignal()
      await registry.stop()
    })
}

async function serveUntilStopped(command: Command, only?: ServeOptions['only']): Promise<void> {
  const config = await loadConfig(command.optsWithGlobals())
  const log = processLog('supervisor')
  const serving = await serve({ config, adminPassword: adminPassword(), log, ...(only && { only }) })
  const keptPassword = only !== 'gateway' && existsSync(join(config.dataDirectory, 'admin-password'))
  console.log(`\n${banner({ config, ...serving, keptPassword })}\n`)
  log.info({ ports: serving.ports }, 'ready')
  process.on('SIGUSR1', () => serving.reopenLogs())
  await stopOnSignal(serving)
  log.info('stopped')
}

/** The first signal drains, a second one ends at once. */
async function stopOnSignal(serving: Serving): Promise<void> {
  await untilSignal()
  const stopped = serving.stop()
  const impatient = untilSignal().then(() => serving.kill())
  await Promise.race([stopped, impatient])
}

async function untilSignal(): Promise<void> {
  const abort = new AbortController()
  await Promise.race(['SIGTERM', 'SIGINT'].map((signal) => once(process, signal, { signal: abort.signal })))
  abort.abort()
}

function adminPassword(): string | undefined {
  return process.env.CAISSON_ADMIN_PASSWORD || undefined
}
