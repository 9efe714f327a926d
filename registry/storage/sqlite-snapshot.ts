import { backup, DatabaseSync } from 'node:sqlite'
import { existsSync } from 'node:fs'
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

/** Throws an Error that names the file unless it is a whole database that has so many blobs, of so many bytes. */
export function checkSnapshot(file: string, expected: { readonly blobs: number; readonly bytes: number }): void {
  const damaged = (reason: string, cause?: unknown) => new Error(`${file} is damaged: ${reason}`, { cause })
  if (!existsSync(file)) throw damaged('it is not there')
  using database = new DatabaseSync(file, { readOnly: true })
  const first = (statement: string): Record<string, unknown> => {
    try {
      return database.prepare(statement).get() ?? {}
    } catch (cause) {
      throw damaged(cause instanceof Error ? cause.message : String(cause), cause)
    }
  }
  const { integrity_check: integrity } = first('pragma integrity_check(1)')
  if (integrity !== 'ok') throw damaged(String(integrity))
  const kept = first("select count(*) as blobs, coalesce(sum(size), 0) as bytes from blobs where state = 'kept'")
  if (kept.blobs !== expected.blobs || kept.bytes !== expected.bytes)
    throw damaged(`it has ${String(kept.blobs)} blobs, and the backup was made of ${expected.blobs}`)
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
