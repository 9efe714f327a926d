import { existsSync } from 'node:fs'
import { mkdir, open, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Places } from './places.ts'

/** Result codes of SQLite: another connection has it; within a process, too. */
const SQLITE_BUSY = 5
const lockFileName = 'caisson.lock'
const lockSuffix = '.lock'
/** A process whose supervisor was killed needs a moment to notice. */
const patienceMs = 2000

export class PlaceInUse extends Error {
  readonly place: string

  constructor(place: string, advice: string, cause: unknown) {
    super(`another caisson works on ${place}: stop it first, or ${advice}`, { cause })
    this.place = place
  }
}

/**
 * Makes this the one process that serves what lies there, collects its garbage or replaces it. Throws PlaceInUse when another one
 * does. Directories are made when they are missing.
 * Node has no file locks but SQLite's, which the kernel takes back from a process that dies. Commands that only read, or
 * write single rows, go without.
 */
export async function lockPlaces(places: Places): Promise<Disposable> {
  using locked = new DisposableStack()
  await mkdir(places.dataDirectory, { recursive: true, mode: 0o700 })
  const ofData = join(places.dataDirectory, lockFileName)
  locked.use(await lock(ofData, places.dataDirectory, 'name another directory with --data'))
  // Another configuration, with another data directory, may name the same.
  for (const place of [places.database, places.blobs]) {
    await mkdir(dirname(place), { recursive: true, mode: 0o700 })
    const real = existsSync(place) ? await realpath(place) : join(await realpath(dirname(place)), basename(place))
    locked.use(await lock(`${real}${lockSuffix}`, place, 'configure another place'))
  }
  return locked.move()
}

/** Whether {@link lockPlaces} has made it. */
export function isLockFile(name: string): boolean {
  return name === lockFileName || name.endsWith(lockSuffix)
}

async function lock(file: string, place: string, advice: string): Promise<Disposable> {
  await (await open(file, 'a', 0o600)).close()
  const lock = new DatabaseSync(file, { timeout: patienceMs })
  try {
    // Nothing is ever written: a rollback journal would be the only other thing to leave behind.
    lock.exec('pragma journal_mode = memory; begin exclusive')
  } catch (cause) {
    lock.close()
    if (!isBusy(cause)) throw cause
    throw new PlaceInUse(place, advice, cause)
  }
  return { [Symbol.dispose]: () => lock.close() }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && Number(error.errcode) % 256 === SQLITE_BUSY
}
