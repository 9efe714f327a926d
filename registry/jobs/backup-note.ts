import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { parseJson } from '../domain/json.ts'
import { isMissing, writeDurably } from '../storage/durable-files.ts'

/** Where things lie in a backup, whatever the configuration says of the place they came from. */
export const backupDatabase = 'caisson.db'
export const backupBlobs = 'blobs'

const name = 'backup.json'

const note = z.object({
  /** Counts up when an older version can no longer read what a newer one has written. */
  format: z.literal(1),
  /** Of the product that made it. */
  version: z.string(),
  /** Everything is as it was then. */
  takenAt: z.iso.datetime(),
  blobs: z.int().min(0),
  /** Of the blobs. */
  bytes: z.int().min(0),
})

/** Says what a backup is, and by being there that it is whole. */
export type BackupNote = z.output<typeof note>

export async function writeBackupNote(directory: string, written: BackupNote): Promise<void> {
  await writeDurably(join(directory, name), `${JSON.stringify(written, null, 2)}\n`)
}

/** Throws an Error that says what to do when the directory is no whole backup. */
export async function readBackupNote(directory: string): Promise<BackupNote> {
  const file = join(directory, name)
  const json = parseJson(await readNote(file))
  const newer = z.looseObject({ format: z.int().min(2) }).safeParse('value' in json ? json.value : undefined)
  if (newer.success) throw new Error(`${file} was made by a newer version of caisson: restore it with that one`)
  const parsed = note.safeParse('value' in json ? json.value : undefined)
  if (parsed.success) return parsed.data
  const reason = 'problem' in json ? json.problem : z.prettifyError(parsed.error)
  throw new Error(`${file} is none that this version can read: ${reason}`)
}

async function readNote(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file)
  } catch (cause) {
    if (!isMissing(cause)) throw cause
    throw new Error(`${file} does not exist: the directory is no backup, or one that was interrupted`, { cause })
  }
}
