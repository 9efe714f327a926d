import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import {
  CompiledQuery,
  SqliteAdapter,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type DatabaseConnection,
  type Dialect,
  type SqliteStatement,
} from 'kysely'
import { RegistryError } from '../domain/errors.ts'
import { PatientConnection } from './patient-connection.ts'

/** Result code of SQLite: the disk, or the quota, is full. */
const SQLITE_FULL = 13
/** More than all the statements that are fixed; those of varying length must not pile up. */
const maxStatements = 500

/** Kysely over Node's own SQLite, with statements compiled once. Closing it closes the database. */
export function nodeSqliteDialect(database: DatabaseSync): Dialect {
  return {
    createAdapter: () => new TransactionalAdapter(),
    createDriver: () => new ImmediateDriver(database),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

/** Two processes may start on one new database: a migration happens in a transaction, or not at all. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

class ImmediateDriver extends SqliteDriver {
  readonly #database: DatabaseSync
  #connection: DatabaseConnection | undefined

  constructor(database: DatabaseSync) {
    const statements = new Statements(database)
    super({ database: { close: () => database.close(), prepare: (sql) => statements.prepare(sql) } })
    this.#database = database
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    this.#connection ??= new PatientConnection(await super.acquireConnection())
    return this.#connection
  }

  /** A transaction that begins by reading could not wait for another process when it comes to write. */
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'))
  }

  /** SQLite itself has rolled back after some failures, such as a full disk. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#database.isTransaction) await super.rollbackTransaction(connection)
  }
}

class Statements {
  readonly #database: DatabaseSync
  readonly #compiled = new Map<string, SqliteStatement>()

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  prepare(sql: string): SqliteStatement {
    const known = this.#compiled.get(sql)
    if (known) return known
    if (this.#compiled.size >= maxStatements) this.#compiled.clear()
    const made = this.#compile(sql)
    this.#compiled.set(sql, made)
    return made
  }

  #compile(sql: string): SqliteStatement {
    const statement = this.#database.prepare(sql)
    return {
      reader: statement.columns().length > 0,
      // Rows come without a prototype, which makes them unequal to every literal.
      all: (values) => orFull(() => statement.all(...values.map(bindable)).map((row) => ({ ...row }))),
      run: (values) => orFull(() => statement.run(...values.map(bindable))),
      iterate: (values) => statement.iterate(...values.map(bindable)),
    }
  }
}

function bindable(value: unknown): SQLInputValue {
  if (typeof value === 'string' || typeof value === 'number' || value instanceof Uint8Array || value === null)
    return value
  throw new TypeError(`SQLite has no type for ${typeof value}`)
}

function orFull<result>(execute: () => result): result {
  try {
    return execute()
  } catch (cause) {
    const full = cause instanceof Error && 'errcode' in cause && cause.errcode === SQLITE_FULL
    throw full ? new RegistryError('STORAGE_FULL', { cause }) : cause
  }
}
