import { setTimeout } from 'node:timers/promises'
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely'
import { RegistryError } from '../domain/errors.ts'

/** Result code of SQLite: another connection is writing. */
const SQLITE_BUSY = 5
const maxWaitMs = 5000
const pauseMs = 5

/**
 * Waits for its turn to write without blocking the thread, as SQLite's own busy time-out would. Only what begins a
 * transaction, or is one by itself, can find the database busy; so what is tried again has done nothing yet.
 */
export class PatientConnection implements DatabaseConnection {
  readonly #connection: DatabaseConnection

  constructor(connection: DatabaseConnection) {
    this.#connection = connection
  }

  async executeQuery<row>(query: CompiledQuery): Promise<QueryResult<row>> {
    const started = performance.now()
    for (;;) {
      try {
        return await this.#connection.executeQuery<row>(query)
      } catch (error) {
        if (!isBusy(error)) throw error
        if (performance.now() - started > maxWaitMs) throw inUse(error)
      }
      await setTimeout(pauseMs)
    }
  }

  streamQuery<row>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<row>> {
    return this.#connection.streamQuery<row>(query, chunkSize)
  }
}

function inUse(cause: unknown): RegistryError {
  const seconds = maxWaitMs / 1000
  const message = `another process has been writing to the database for ${seconds} seconds: try again`
  return new RegistryError('UNAVAILABLE', { message, cause })
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && Number(error.errcode) % 256 === SQLITE_BUSY
}
