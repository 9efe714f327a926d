import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing, removeDurably, writeDurably } from '../storage/durable-files.ts'
import { lockFileName } from '../storage/process-lock.ts'
import { databaseFiles } from '../storage/sqlite-snapshot.ts'
import type { Places } from './places.ts'

const name = 'restore-unfinished'
const explanation =
  'A restore into this directory has begun and has not come to its end. Run it again, or remove the directory.\n'

/** Throws unless there is nothing there yet, or only what an interrupted restore has left. */
export async function beginRestore(places: Places): Promise<void> {
  if (isUnfinished(places.dataDirectory)) return
  const others = (await namesIn(places.dataDirectory)).filter((name) => name !== lockFileName)
  const taken = [
    ...others.slice(0, 1).map((name) => join(places.dataDirectory, name)),
    ...databaseFiles(places.database).filter((file) => existsSync(file)),
    ...((await namesIn(places.blobs)).length > 0 ? [places.blobs] : []),
  ]
  if (taken[0] !== undefined)
    throw new Error(
      `${taken[0]} is there already: a backup is restored where nothing is yet; move it away, or name another --data`,
    )
  await writeDurably(join(places.dataDirectory, name), explanation)
}

export async function endRestore({ dataDirectory }: Places): Promise<void> {
  await removeDurably([join(dataDirectory, name)])
}

/** For whoever is about to serve what is there. */
export function refuseUnfinishedRestore(dataDirectory: string): void {
  if (isUnfinished(dataDirectory))
    throw new Error(`a restore into ${dataDirectory} was interrupted: run it again, or remove the directory`)
}

function isUnfinished(dataDirectory: string): boolean {
  return existsSync(join(dataDirectory, name))
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
