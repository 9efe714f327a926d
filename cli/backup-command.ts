import { resolve } from 'node:path'
import { Command } from 'commander'
import { placesOf } from '../registry/config.ts'
import { formatSize } from '../registry/domain/size.ts'
import { backUp, type BackedUp } from '../registry/jobs/backup.ts'
import { describeLost } from './blob-holders.ts'
import { loadConfig } from './config.ts'
import { existingDatabase } from './existing-database.ts'
import { version } from './version.ts'

/** Works beside a running registry, or without one. */
export function backupCommand(): Command {
  return new Command('backup')
    .argument('<directory>', 'a new directory')
    .description('copy everything as it is at one moment, while the registry goes on')
    .option('--copy', 'copy the bytes of blobs, also where hard links could be made', false)
    .option('--json', 'as one JSON object', false)
    .action(async (directory: string, options: { copy: boolean; json: boolean }, command: Command) => {
      const config = await loadConfig(command.optsWithGlobals())
      existingDatabase(config)
      const target = resolve(directory)
      const done = await backUp(placesOf(config.dataDirectory, config.registry), target, {
        mode: options.copy ? 'copy' : 'link',
        version,
      })
      console.log(options.json ? JSON.stringify(done) : describe(done, target))
      if (done.lost.length > 0) process.exitCode = 1
    })
}

function describe({ takenAt, blobs, bytes, lost, copied }: BackedUp, directory: string): string {
  return [
    ...describeLost(lost, 'missing or cut short, and not in the backup'),
    `${directory} has everything as it was at ${takenAt}: ${blobs} blobs of ${formatSize(bytes)}, ` +
      (copied ? 'copied' : 'as hard links: the bytes are shared with the store'),
  ].join('\n')
}
