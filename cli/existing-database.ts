import { existsSync } from 'node:fs'
import { placesOf } from '../registry/config.ts'
import { refuseUnfinishedRestore } from '../registry/jobs/unfinished-restore.ts'
import type { CaissonConfig } from './config.ts'

/** The file of the database. Throws when there is none: one made by a command is most likely in a wrong place. */
export function existingDatabase({ dataDirectory, registry }: CaissonConfig): string {
  refuseUnfinishedRestore(dataDirectory)
  const { database } = placesOf(dataDirectory, registry)
  if (existsSync(database)) return database
  throw new Error(`${database} does not exist yet: start caisson once, or name its data directory with --data`)
}
