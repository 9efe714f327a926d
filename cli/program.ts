import { Command, CommanderError } from 'commander'
import { auditCommand } from './audit-command.ts'
import { backupCommand } from './backup-command.ts'
import { certsCommand } from './certs-command.ts'
import { checkCommand } from './check-command.ts'
import { ConfigError } from './config.ts'
import { copyCommand } from './copy-command.ts'
import { describeCommand } from './describe-command.ts'
import { explainCommand } from './explain-command.ts'
import { groupCommand } from './group-command.ts'
import { processLog } from './log.ts'
import { gcCommand } from './gc-command.ts'
import { importCommand } from './import-command.ts'
import { migrateCommand } from './migrate-command.ts'
import { permissionCommand } from './permission-command.ts'
import { pullThroughCommand } from './pull-through-command.ts'
import { rebuildCommand } from './rebuild-command.ts'
import { restoreCommand } from './restore-command.ts'
import { scrubCommand } from './scrub-command.ts'
import { gatewayCommand, registryCommand, serveCommand } from './serve-command.ts'
import { tokenCommand } from './token-command.ts'
import { userCommand } from './user-command.ts'
import { version } from './version.ts'

/** The command line. Exit status: 0 good, 1 failed, 2 wrong use. */
export async function run(argv: readonly string[]): Promise<void> {
  try {
    await program().parseAsync(argv)
  } catch (error) {
    process.exitCode = exitCodeOf(error)
  }
}

function program(): Command {
  const root = new Command('caisson')
    .description(
      'A TLS gateway that gives every Docker repository its own hostname or port, and the registry behind it.',
    )
    .version(version)
    .option('--config <file>', 'configuration file (default: ./caisson.yaml when it exists)')
    .option('--data <directory>', 'directory of everything that is kept (default: ./data)')
    .addCommand(serveCommand())
    .addCommand(gatewayCommand())
    .addCommand(registryCommand())
    .addCommand(certsCommand())
    .addCommand(checkCommand())
    .addCommand(explainCommand())
    .addCommand(describeCommand())
    .addCommand(userCommand())
    .addCommand(groupCommand())
    .addCommand(permissionCommand())
    .addCommand(tokenCommand())
    .addCommand(auditCommand())
    .addCommand(pullThroughCommand())
    .addCommand(migrateCommand())
    .addCommand(copyCommand())
    .addCommand(importCommand())
    .addCommand(gcCommand())
    .addCommand(scrubCommand())
    .addCommand(backupCommand())
    .addCommand(restoreCommand())
    .addCommand(rebuildCommand())
  return withStrictUse(root)
}

/** Every command, also a nested one, throws on wrong use and takes the global options behind its own name as well. */
function withStrictUse(command: Command): Command {
  command.exitOverride().showHelpAfterError('(--help shows how it is used)')
  for (const inner of command.commands) {
    withStrictUse(inner)
    if (inner.commands.length === 0) {
      inner
        .option('--config <file>', 'configuration file')
        .option('--data <directory>', 'directory of everything that is kept')
    }
  }
  return command
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof ConfigError) console.error(error.message)
  else if (process.env.CAISSON_DEBUG) console.error(error)
  else console.error(`caisson: ${error instanceof Error ? error.message : String(error)}`)
  return 1
}

process.on('unhandledRejection', (error) => {
  processLog('supervisor').fatal({ err: error }, 'a failure that nothing handled')
  process.exit(1)
})
