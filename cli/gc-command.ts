import { Command } from 'commander'
import { placesOf } from '../registry/config.ts'
import { previewCollection, type Unheld } from '../registry/jobs/collection-preview.ts'
import { Collector } from '../registry/jobs/collector.ts'
import { collectionRules } from '../registry/jobs/garbage-collection.ts'
import type { UnheldBlob, UnheldLink, UnheldManifest } from '../registry/storage/garbage.ts'
import { openFilesystemBlobs } from '../registry/storage/filesystem-blobs.ts'
import { lockPlaces, PlaceInUse } from '../registry/storage/process-lock.ts'
import { openSqliteMetadata } from '../registry/storage/sqlite-metadata.ts'
import { blobDirectories } from '../registry/storage/blob-directories.ts'
import { loadConfig, type CaissonConfig } from './config.ts'
import { existingDatabase } from './existing-database.ts'

/** A registry that runs does it by itself; this shows what it will do, or does it where none runs. */
export function gcCommand(): Command {
  return new Command('gc')
    .description('remove what nothing uses any more; a running registry does so by itself')
    .option('--dry-run', 'only say what would be removed, and why', false)
    .option('--json', 'as one JSON object', false)
    .action(async (options: { dryRun: boolean; json: boolean }, command: Command) => {
      const config = await loadConfig(command.optsWithGlobals())
      const garbage = options.dryRun ? await preview(config) : await collect(config)
      console.log(options.json ? JSON.stringify(garbage) : describe(garbage, config, options.dryRun))
    })
}

async function preview(config: CaissonConfig): Promise<Unheld> {
  await using metadata = await openSqliteMetadata(existingDatabase(config))
  return await previewCollection(metadata, collectionRules(config.registry), new Date())
}

async function collect(config: CaissonConfig): Promise<Unheld> {
  const database = existingDatabase(config)
  using _alone = await lockForCollection(config)
  await using metadata = await openSqliteMetadata(database)
  await using store = await openFilesystemBlobs(blobDirectories(config.registry.storage.filesystem))
  const collector = new Collector({ blobs: store, metadata }, collectionRules(config.registry))
  const manifests: UnheldManifest[] = []
  const links: UnheldLink[] = []
  const blobs: UnheldBlob[] = []
  await collector.collect(new AbortController().signal, (collected) => {
    switch (collected.kind) {
      case 'manifest':
        return void manifests.push(...collected.removed)
      case 'link':
        return void links.push(...collected.removed)
      case 'blob':
        return void blobs.push(...collected.removed)
      case 'failure':
        console.error(`${collected.digest} could not be deleted: ${String(collected.error)}`)
        process.exitCode = 1
    }
  })
  return { manifests, links, blobs }
}

async function lockForCollection({ dataDirectory, registry }: CaissonConfig): Promise<Disposable> {
  try {
    return await lockPlaces(placesOf(dataDirectory, registry))
  } catch (cause) {
    if (!(cause instanceof PlaceInUse)) throw cause
    const every = registry.garbageCollection.every
    throw new Error(
      `a registry runs on ${cause.place} and collects by itself, ${every} after each round; an admin can have it do so at once: ` +
        `POST ${registry.context}/api/system/storage/gc`,
      { cause },
    )
  }
}

function describe({ manifests, links, blobs }: Unheld, { registry }: CaissonConfig, dryRun: boolean): string {
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0)
  return [
    ...manifests.map(
      ({ of, digest, since }) =>
        `manifest ${of.repository}/${of.image}@${digest}: no tag, and nothing that refers to it, since ${since.toISOString()}`,
    ),
    ...links.map(
      ({ of, digest, since }) =>
        `blob ${digest} in ${of.repository}/${of.image}: no manifest there names it since ${since.toISOString()}`,
    ),
    ...blobs.map(
      ({ digest, size, since }) => `blob ${digest}, ${size} bytes: no image has it since ${since.toISOString()}`,
    ),
    `${dryRun ? 'would remove' : 'removed'} ${manifests.length} manifests, ${links.length} blobs from images, ` +
      `and ${blobs.length} blobs of ${bytes} bytes from the store`,
    ...(manifests.length + links.length > 0
      ? [`what only these held goes in later rounds, ${registry.garbageCollection.grace} from then`]
      : []),
  ].join('\n')
}
