import { chmod, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Digest } from '../domain/digest.ts'
import { openBlobCopies, type BlobCopies, type CopyMode } from '../storage/blob-copies.ts'
import { blobDirectories } from '../storage/blob-directories.ts'
import type { Blobs } from '../storage/blob-store.ts'
import { copySynced, makeDirectoryDurably, syncDirectory } from '../storage/durable-files.ts'
import { filesystemBlobsBeside } from '../storage/filesystem-blobs.ts'
import type { StoredBlob } from '../storage/integrity.ts'
import type { MetadataStore } from '../storage/metadata-store.ts'
import { checkSnapshot, removeDatabase, workOnDatabase } from '../storage/sqlite-snapshot.ts'
import { storedBlobs } from '../storage/stored-blobs.ts'
import { backupBlobs, backupDatabase, readBackupNote, type BackupNote } from './backup-note.ts'
import { quarantine, type LostBlob } from './backup.ts'
import { examine } from './blob-check.ts'
import { copyOwnFiles } from './own-files.ts'
import { Pace } from './pace.ts'
import type { Places } from '../storage/places.ts'
import { scrubManifests, type Scrubbed } from './scrub.ts'
import { beginRestore, endRestore } from './unfinished-restore.ts'

const asFastAsItGoes = new Pace(Infinity)

export interface RestoreOptions {
  readonly mode: CopyMode
  /** `bytes`: every blob is read and hashed first; `sizes`: it is there, with its size. */
  readonly check: 'bytes' | 'sizes'
}

export interface Restored extends BackupNote {
  /** Not in the backup any more as they were. They are quarantined now. */
  readonly lost: readonly LostBlob[]
  /** Looked for with `bytes` alone. */
  readonly wrongManifests: Scrubbed['wrongManifests']
}

/**
 * Puts a backup where nothing is yet. Interrupted, it can be begun again, and until it has come to its end no registry starts there.
 * The caller has locked the data directory.
 */
export async function restore(directory: string, places: Places, options: RestoreOptions): Promise<Restored> {
  const note = await readBackupNote(directory)
  checkSnapshot(join(directory, backupDatabase), note)
  await beginRestore(places, note)
  const database = `${places.database}.restoring`
  await makeDirectoryDurably(dirname(database))
  await removeDatabase(database)
  await copySynced(join(directory, backupDatabase), database)
  await chmod(database, 0o600)

  const copies = await openBlobCopies(join(directory, backupBlobs), places.blobs, options.mode)
  await using source = filesystemBlobsBeside(blobDirectories(join(directory, backupBlobs)))
  const found = await workOnDatabase(database, async (metadata) => ({
    lost: await quarantine(metadata, await bringBlobs(metadata, source, copies, options.check)),
    wrongManifests: options.check === 'bytes' ? await findWrongManifests(metadata) : [],
  }))
  await copies.sync()
  await copyOwnFiles(directory, places.dataDirectory)
  await rename(database, places.database)
  await syncDirectory(dirname(database))
  await endRestore(places)
  return { ...note, ...found }
}

async function findWrongManifests(metadata: MetadataStore): Promise<Scrubbed['wrongManifests']> {
  return (await scrubManifests(metadata, asFastAsItGoes, new AbortController().signal)).wrongManifests
}

async function bringBlobs(
  metadata: MetadataStore,
  source: Blobs,
  copies: BlobCopies,
  check: RestoreOptions['check'],
): Promise<readonly Digest[]> {
  const lost: Digest[] = []
  for await (const blob of storedBlobs(metadata)) {
    if (blob.state !== 'kept') continue
    const brought = (await isWhole(source, blob, check)) ? await copies.bring(blob.digest) : undefined
    if (brought !== blob.size) lost.push(blob.digest)
  }
  return lost
}

async function isWhole(source: Blobs, blob: StoredBlob, check: RestoreOptions['check']): Promise<boolean> {
  if ((await source.stat(blob.digest))?.size !== blob.size) return false
  if (check === 'sizes') return true
  const { problem } = await examine(source, blob, asFastAsItGoes, new AbortController().signal)
  return problem === undefined
}
