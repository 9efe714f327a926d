import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Digest } from '../domain/digest.ts'
import { openBlobCopies, type BlobCopies, type CopyMode } from '../storage/blob-copies.ts'
import { blobDirectories } from '../storage/blob-directories.ts'
import type { BlobStore } from '../storage/blob-store.ts'
import { makeDirectoryDurably, makeOneDirectoryDurably } from '../storage/durable-files.ts'
import { filesystemBlobsBeside } from '../storage/filesystem-blobs.ts'
import type { BlobHolder } from '../storage/integrity.ts'
import type { MetadataStore } from '../storage/metadata-store.ts'
import { snapshotDatabase, workOnDatabase } from '../storage/sqlite-snapshot.ts'
import { storedBlobs } from '../storage/stored-blobs.ts'
import { backupBlobs, backupDatabase, writeBackupNote, type BackupNote } from './backup-note.ts'
import { copyOwnFiles } from './own-files.ts'
import type { Places } from '../storage/places.ts'

/** Condemned blobs that are forgotten at once. */
const batch = 1000

export interface LostBlob {
  readonly digest: Digest
  readonly holders: readonly BlobHolder[]
}

export interface BackedUp extends BackupNote {
  /** Not there, or not of the size that was pushed. In the backup they are quarantined. */
  readonly lost: readonly LostBlob[]
  /** Whether bytes were copied rather than linked. */
  readonly copied: boolean
}

/**
 * Makes a consistent copy in a new directory while everything goes on: the database as it is at one moment, and every blob that it
 * mentions. What is still being uploaded is no part of it. Throws when there is something in the directory.
 */
export async function backUp(
  places: Places,
  directory: string,
  { mode, version }: { readonly mode: CopyMode; readonly version: string },
): Promise<BackedUp> {
  await makeEmpty(directory)
  const blobs = join(directory, backupBlobs)
  const copies = await openBlobCopies(places.blobs, blobs, mode)
  const database = join(directory, backupDatabase)
  const { lost, ...round } = await copyUntilWhole(places.database, database, copies)
  const lostBlobs = await workOnDatabase(database, async (metadata) => {
    await removeUnmentioned(metadata, filesystemBlobsBeside(blobDirectories(blobs)))
    return await quarantine(metadata, lost)
  })
  await copies.sync()
  await copyOwnFiles(places.dataDirectory, directory)
  const note = { format: 1 as const, version, ...round }
  await writeBackupNote(directory, note)
  return { ...note, lost: lostBlobs, copied: copies.copied }
}

async function makeEmpty(directory: string): Promise<void> {
  await makeDirectoryDurably(dirname(directory))
  await makeOneDirectoryDurably(directory, 0o700)
  if (!(await stat(directory)).isDirectory()) throw new Error(`${directory} is a file: expected a new directory`)
  if ((await readdir(directory)).length > 0)
    throw new Error(`${directory} has something in it: a backup is made in a new directory`)
}

type Round = Pick<BackupNote, 'takenAt' | 'blobs' | 'bytes'> & { readonly lost: readonly Digest[] }

/**
 * Garbage collection may delete blobs after the database was copied: then it is copied again, and no longer mentions them. What it
 * still mentions, and was not there the last time either, is no garbage but lost.
 */
async function copyUntilWhole(from: string, database: string, copies: BlobCopies): Promise<Round> {
  let before = new Set<Digest>()
  for (;;) {
    const takenAt = new Date().toISOString()
    await snapshotDatabase(from, database)
    const copied = await workOnDatabase(database, async (metadata) => {
      await endUnfinished(metadata)
      return await copyBlobs(metadata, copies)
    })
    if (copied.lost.every((digest) => before.has(digest))) return { takenAt, ...copied }
    before = new Set(copied.lost)
  }
}

/** Uploads, whose bytes are not copied, and deletions of blobs, which are not copied either. */
async function endUnfinished(metadata: MetadataStore): Promise<void> {
  for (const { id } of await metadata.listUploadOwners()) await metadata.removeUpload(id)
  for (;;) {
    const condemned = await metadata.listCondemnedBlobs(batch)
    if (condemned.length === 0) return
    await metadata.forgetBlobs(condemned)
  }
}

async function copyBlobs(metadata: MetadataStore, copies: BlobCopies): Promise<Omit<Round, 'takenAt'>> {
  const lost: Digest[] = []
  let [blobs, bytes] = [0, 0]
  for await (const { digest, size, state } of storedBlobs(metadata)) {
    if (state !== 'kept') continue
    if ((await copies.bring(digest)) !== size) {
      lost.push(digest)
      continue
    }
    blobs += 1
    bytes += size
  }
  return { blobs, bytes, lost }
}

/** What an earlier round brought. */
async function removeUnmentioned(metadata: MetadataStore, blobs: BlobStore): Promise<void> {
  for await (const digest of blobs.listBlobs()) if (!(await metadata.isBlobKnown(digest))) await blobs.delete([digest])
}

/** Whoever pulls them is told that they are not there, and whoever pushes them again puts them right. */
export async function quarantine(metadata: MetadataStore, lost: readonly Digest[]): Promise<readonly LostBlob[]> {
  const told: LostBlob[] = []
  for (const digest of lost) {
    await metadata.judgeBlob(digest, async () => 'quarantined')
    told.push({ digest, holders: await metadata.listHolders(digest) })
  }
  return told
}
