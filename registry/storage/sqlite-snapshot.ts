import { backup, DatabaseSync } from 'node:sqlite'
import { open, rm } from 'node:fs/promises'
import { syncFile } from './durable-files.ts'
import type { MetadataStore } from './metadata-store.ts'
import { openSqliteMetadata } from './sqlite-metadata.ts'

/** All in one step, because SQLite begins anew when somebody writes between two. */
const pagesPerStep = 2 ** 31 - 1
const waitMs = 5000

/** Copies the database as it is at one moment to `file`, in place of what is there, while others go on writing to it. */
export async function snapshotDatabase(database: string, file: string): Promise<void> {
  await removeDatabase(file)
  await (await open(file, 'wx', 0o600)).close() // It holds password hashes and the token key.
  const source = new DatabaseSync(database, { timeout: waitMs })
  try {
    await backup(source, file, { rate: pagesPerStep })
  } finally {
    source.close()
  }
}

/** Opens a database that nobody else has, and leaves it as one durable file that can also be read where nothing can be written. */
export async function workOnDatabase<result>(
  file: string,
  work: (metadata: MetadataStore) => Promise<result>,
): Promise<result> {
  const done = await useMetadata(file, work)
  const database = new DatabaseSync(file)
  database.exec('pragma journal_mode = delete')
  database.close()
  await syncFile(file)
  return done
}

async function useMetadata<result>(file: string, work: (metadata: MetadataStore) => Promise<result>): Promise<result> {
  await using metadata = await openSqliteMetadata(file)
  return await work(metadata)
}

/** The database, and what SQLite keeps beside it, which would be taken for that of the next database of that name. */
export function databaseFiles(file: string): readonly string[] {
  return [file, `${file}-wal`, `${file}-shm`, `${file}-journal`]
}

export async function removeDatabase(file: string): Promise<void> {
  for (const name of databaseFiles(file)) await rm(name, { force: true })
}
