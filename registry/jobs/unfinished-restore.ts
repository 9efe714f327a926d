import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing, partialOf, readIfThere, removeDurably, writeDurably } from '../storage/durable-files.ts'
import { isLockFile } from '../storage/process-lock.ts'
import { databaseFiles } from '../storage/sqlite-snapshot.ts'
import type { BackupNote } from './backup-note.ts'
import type { Places } from '../storage/places.ts'

const name = 'restore-unfinished'
/** Says what it is, to the next restore as to people. */
function explain({ database, blobs }: Places, takenAt: string): string {
  return `A restore of the backup of ${takenAt} has begun, into ${database} and ${blobs}, and has not come to its end.\n`
}

/** Throws unless there is nothing there yet, or only what an interrupted restore of the same has left. */
export async function beginRestore(places: Places, { takenAt }: BackupNote): Promise<void> {
  const file = join(places.dataDirectory, name)
  const explanation = explain(places, takenAt)
  const before = await readIfThere(file)
  if (before === explanation) return
  if (before !== undefined)
    throw new Error(`${file} says: ${before.trim()} Run that one again, or remove all that it has left`)
  await refuseAnything(places)
  await writeDurably(file, explanation)
}

async function refuseAnything(places: Places): Promise<void> {
  // Killed while it was about to begin, a restore leaves the second.
  const isOthers = (other: string) => !isLockFile(other) && other !== partialOf(name)
  const taken = [
    ...(await namesIn(places.dataDirectory)).filter(isOthers).map((other) => join(places.dataDirectory, other)),
    ...databaseFiles(places.database).filter((file) => existsSync(file)),
    ...((await namesIn(places.blobs)).some(isOthers) ? [places.blobs] : []),
  ]
  if (taken[0] === undefined) return
  throw new Error(
    `${taken[0]} is there already: a backup is restored where nothing is yet; move it away, or name another --data`,
  )
}

export async function endRestore({ dataDirectory }: Places): Promise<void> {
  await removeDurably([join(dataDirectory, name)])
}

/** For whoever is about to serve what is there. */
export function refuseUnfinishedRestore(dataDirectory: string): void {
  if (existsSync(join(dataDirectory, name)))
    throw new Error(`a restore into ${dataDirectory} was interrupted: run it again, or remove the directory`)
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
