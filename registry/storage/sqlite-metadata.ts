import { open } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import type { MetadataSchema } from './metadata-schema.ts'
import type { MetadataStore } from './metadata-store.ts'
import { migrate } from './migrate.ts'
import { nodeSqliteDialect } from './node-sqlite-dialect.ts'
import { sqlMetadata } from './sql-metadata.ts'

/** How long opening waits for another process that is opening it too. */
const openTimeoutMs = 5000

/** Other processes may have the same file open. Its directory must exist. */
export async function openSqliteMetadata(file: string, now = () => new Date()): Promise<MetadataStore> {
  try {
    return await prepare(await openDatabase(file), now)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`cannot open the database ${file}: ${reason}`, { cause })
  }
}

async function prepare(database: DatabaseSync, now: () => Date): Promise<MetadataStore> {
  try {
    database.exec('pragma journal_mode = wal')
    database.exec('pragma synchronous = full') // What was acknowledged survives a power cut.
    database.exec('pragma busy_timeout = 0') // From here on the connection waits, not the thread.
    const db = new Kysely<MetadataSchema>({ dialect: nodeSqliteDialect(database) })
    await migrate(db)
    return sqlMetadata(db, now)
  } catch (error) {
    database.close()
    throw error
  }
}

async function openDatabase(file: string): Promise<DatabaseSync> {
  // It holds password hashes and the token key. SQLite gives the files beside it the same mode.
  await (await open(file, 'a', 0o600)).close()
  return new DatabaseSync(file, { timeout: openTimeoutMs, enableForeignKeyConstraints: true })
}
