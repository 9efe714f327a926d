import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { formatLine } from '../registry/audit/audit-lines.ts'
import { auditTypes, type AuditQuery } from '../registry/audit/audit-log.ts'
import { parseAuditQuery, type AuditQuestion } from '../registry/audit/audit-query.ts'
import { readAudit } from '../registry/audit/read-audit.ts'
import { rotatedNumbers } from '../registry/audit/rotated-files.ts'
import { RegistryError } from '../registry/domain/errors.ts'
import { loadConfig, type CaissonConfig } from './config.ts'

/** All of them are held before the first is printed. */
const maxEntries = 100_000

/** Only reads the files, beside a running registry or without one. */
export function auditCommand(): Command {
  return new Command('audit')
    .description(
      'print what was recorded of pushes, deletions, logins and refusals, one JSON object a line, the newest last',
    )
    .option('--from <time>', 'not before: 2026-11-24T20:31:47Z, or a date, in UTC')
    .option('--to <time>', 'before it, and not at it')
    .option('--type <types>', `with commas: ${auditTypes.join(',')}`)
    .option('--by <user>', 'who did it')
    .option('--repository <key>', 'where it was')
    .option('--image <name>', 'without the repository')
    .option('--limit <number>', 'as many of the newest (default: 100)')
    .action(async (options: AuditQuestion, command: Command) => {
      const query = parseOptions(command, options)
      const file = await existingAuditLog(await loadConfig(command.optsWithGlobals()))
      for (const entry of (await readAudit(file, query)).toReversed()) console.log(formatLine(entry))
    })
}

function parseOptions(command: Command, options: AuditQuestion): AuditQuery {
  try {
    return parseAuditQuery(options, maxEntries)
  } catch (error) {
    if (error instanceof RegistryError) return command.error(`error: ${error.message}`)
    throw error
  }
}

/** Throws when there is none: it is most likely looked for in a wrong place. */
async function existingAuditLog({ registry }: CaissonConfig): Promise<string> {
  const { file } = registry.audit
  if (file === 'off') throw new Error('there is no audit log: registry.audit.file is off')
  if (existsSync(file) || (await rotatedNumbers(file)).length > 0) return file
  throw new Error(`${file} does not exist yet: start caisson once, or name its data directory with --data`)
}
