import { open } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import type { MetadataSchema } from './metadata-schema.ts'
import type { MetadataStore } from './metadata-store.ts'
import { migrate } from './migrate.ts'
import { nodeSqliteDialect } from './node-sqlite-dialect.ts'
import { sqlMetadata } from './sql-metadata.ts'

/** How long a statement waits for another process that writes. */
const busyTimeoutMs = 5000

/** Other processes may have the same file open. Its directory must exist. */
export async function openSqliteMetadata(file: string, now = () => new Date()): Promise<MetadataStore> {
  try {
    const db = new Kysely<MetadataSchema>({ dialect: nodeSqliteDialect(await openDatabase(file)) })
    await migrate(db)
    return sqlMetadata(db, now)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`cannot open the database ${file}: ${reason}`, { cause })
  }
}

async function openDatabase(file: string): Promise<DatabaseSync> {
  // It holds password hashes and the token key. SQLite gives the files beside it the same mode.
  await (await open(file, 'a', 0o600)).close()
  const database = new DatabaseSync(file, { timeout: busyTimeoutMs, enableForeignKeyConstraints: true })
  database.exec('pragma journal_mode = wal')
  database.exec('pragma synchronous = full') // What was acknowledged survives a power cut.
  return database
}
