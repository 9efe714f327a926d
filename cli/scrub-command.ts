import { Command, InvalidArgumentError, Option } from 'commander'
import { bytesOf, formatSize, isSize } from '../registry/domain/size.ts'
import type { BlobProblem } from '../registry/jobs/blob-check.ts'
import { Pace } from '../registry/jobs/pace.ts'
import { scrub, type Scrubbed, type WrongBlob } from '../registry/jobs/scrub.ts'
import { blobDirectories } from '../registry/storage/blob-directories.ts'
import { filesystemBlobsBeside } from '../registry/storage/filesystem-blobs.ts'
import { filesystemQuarantine } from '../registry/storage/filesystem-quarantine.ts'
import { openSqliteMetadata } from '../registry/storage/sqlite-metadata.ts'
import { describeHolders, describeWrongManifest } from './blob-holders.ts'
import { loadConfig, type CaissonConfig } from './config.ts'
import { existingDatabase } from './existing-database.ts'

/** Works beside a running registry, or without one. */
export function scrubCommand(): Command {
  return new Command('scrub')
    .description('read every blob and manifest, and quarantine those whose bytes are no longer what was pushed')
    .addOption(
      new Option('--rate <size/s>', 'how fast, so that others get at the disk too')
        .argParser(parseRate)
        .default(parseRate('50MiB/s'), '50MiB/s'),
    )
    .option('--json', 'as one JSON object', false)
    .action(async (options: { rate: number; json: boolean }, command: Command) => {
      const config = await loadConfig(command.optsWithGlobals())
      const scrubbed = await scrubAll(config, new Pace(options.rate))
      console.log(options.json ? JSON.stringify(scrubbed) : describe(scrubbed))
      if (scrubbed.wrong.length + scrubbed.wrongManifests.length > 0) process.exitCode = 1
    })
}

/** In bytes a second. */
function parseRate(text: string): number {
  const size = text.replace(/\/s$/, '')
  if (!isSize(size) || bytesOf(size) === 0) throw new InvalidArgumentError('expected a size a second, like 50MiB/s')
  return bytesOf(size)
}

async function scrubAll(config: CaissonConfig, pace: Pace): Promise<Scrubbed> {
  const directories = blobDirectories(config.registry.storage.filesystem)
  await using metadata = await openSqliteMetadata(existingDatabase(config))
  await using blobs = filesystemBlobsBeside(directories)
  const quarantine = filesystemQuarantine(directories)
  return await scrub({ blobs, quarantine, metadata }, pace, new AbortController().signal)
}

function describe(scrubbed: Scrubbed): string {
  const { blobs, bytes, manifests, wrong, wrongManifests, healed, orphans } = scrubbed
  return [
    ...wrong.flatMap(describeWrong),
    ...wrongManifests.map(describeWrongManifest),
    ...healed.map((digest) => `blob ${digest}: right again`),
    ...orphans.map(({ digest, size }) => `blob ${digest}: a file of ${size} bytes of which the database knows nothing`),
    `${blobs} blobs of ${formatSize(bytes)} and ${manifests} manifests read: ` +
      (wrong.length + wrongManifests.length === 0 ? 'all are right' : summary(scrubbed)),
  ].join('\n')
}

const found: Readonly<Record<BlobProblem, string>> = {
  'wrong bytes': 'wrong bytes, now in quarantine',
  unreadable: 'it cannot be read, or is no file; now in quarantine',
  missing: 'its file is gone',
  'wrong size': 'the bytes are right, but the database has another size for them: restore it from a backup',
}

function describeWrong({ digest, size, problem, knownBefore, holders }: WrongBlob): readonly string[] {
  const what = knownBefore && problem === 'missing' ? 'quarantined before, and not pushed since' : found[problem]
  return [`blob ${digest} of ${size} bytes: ${what}`, ...describeHolders(holders)]
}

function summary({ wrong, wrongManifests }: Scrubbed): string {
  const images = new Set(
    [...wrong.flatMap(({ holders }) => holders.map(({ of }) => of)), ...wrongManifests.map(({ of }) => of)].map(
      ({ repository, image }) => `${repository}/${image}`,
    ),
  )
  return (
    `${wrong.length + wrongManifests.length} are wrong, which hits ${images.size} images; ` +
    'a push of the same bytes puts each right again'
  )
}
