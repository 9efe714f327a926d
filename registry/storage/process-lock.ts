import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Result codes of SQLite: another connection has it; within a process, too. */
const SQLITE_BUSY = 5
export const lockFileName = 'caisson.lock'
/** A process whose supervisor was killed needs a moment to notice. */
const patienceMs = 2000

export class DirectoryInUse extends Error {}

/**
 * Makes this the one process that serves the data directory, collects its garbage or replaces it. Throws DirectoryInUse when
 * another one does.
 * Node has no file locks but SQLite's, which the kernel takes back from a process that dies. Commands that only read, or
 * write single rows, go without.
 */
export async function lockDirectory(directory: string): Promise<Disposable> {
  const file = join(directory, lockFileName)
  await (await open(file, 'a', 0o600)).close()
  const lock = new DatabaseSync(file, { timeout: patienceMs })
  try {
    // Nothing is ever written: a rollback journal would be the only other thing to leave behind.
    lock.exec('pragma journal_mode = memory; begin exclusive')
  } catch (cause) {
    lock.close()
    if (!isBusy(cause)) throw cause
    const message = `another caisson works on ${directory}: stop it first, or name another directory with --data`
    throw new DirectoryInUse(message, { cause })
  }
  return { [Symbol.dispose]: () => lock.close() }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && Number(error.errcode) % 256 === SQLITE_BUSY
}
