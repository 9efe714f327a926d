import { resolve } from 'node:path'
import { Command } from 'commander'
import { placesOf } from '../registry/config.ts'
import { formatSize } from '../registry/domain/size.ts'
import { restore, type Restored } from '../registry/jobs/restore.ts'
import { lockPlaces } from '../registry/storage/process-lock.ts'
import { describeLost, describeWrongManifest } from './blob-holders.ts'
import { loadConfig } from './config.ts'

export function restoreCommand(): Command {
  return new Command('restore')
    .argument('<directory>', 'what caisson backup made')
    .description('put a backup into a data directory that is empty, or not there yet')
    .option('--verify', 'read every blob and manifest of the backup, and compare its digest', false)
    .option('--link', 'share the bytes of blobs with the backup, where hard links can be made', false)
    .option('--json', 'as one JSON object', false)
    .action(async (directory: string, options: { verify: boolean; link: boolean; json: boolean }, command: Command) => {
      const config = await loadConfig(command.optsWithGlobals())
      const places = placesOf(config.dataDirectory, config.registry)
      using _alone = await lockPlaces(places)
      const done = await restore(resolve(directory), places, {
        mode: options.link ? 'link' : 'copy',
        check: options.verify ? 'bytes' : 'sizes',
      })
      console.log(options.json ? JSON.stringify(done) : describe(done, places.dataDirectory))
      if (done.lost.length + done.wrongManifests.length > 0) process.exitCode = 1
    })
}

function describe({ takenAt, blobs, bytes, lost, wrongManifests }: Restored, dataDirectory: string): string {
  return [
    ...describeLost(lost, 'not in the backup as it was; a push of the same bytes puts it right'),
    ...wrongManifests.map(describeWrongManifest),
    `${dataDirectory} has everything as it was at ${takenAt}: ${blobs} blobs of ${formatSize(bytes)}` +
      `${lost.length > 0 ? ', without those above' : ''}; start it with caisson serve`,
  ].join('\n')
}
