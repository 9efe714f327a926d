import { randomBytes } from 'node:crypto'
import { link, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** Puts `text` at `path`, in place of what is there. Readers see the old file or the new one; durable when it resolves. */
export async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const temporary = await writeTemporary(path, text, mode)
  try {
    await rename(temporary, path)
  } finally {
    await rm(temporary, { force: true })
  }
  await syncDirectory(dirname(path))
}

/** False, and nothing is changed, when `path` is there already: of several processes exactly one makes the file. */
export async function createFile(path: string, text: string, mode: number): Promise<boolean> {
  const temporary = await writeTemporary(path, text, mode)
  try {
    // Unlike rename, link never replaces a file that another process has put there in the meantime.
    await link(temporary, path)
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  } finally {
    await rm(temporary, { force: true })
  }
  await syncDirectory(dirname(path))
  return true
}

/** Clears away what a process left that was killed while it wrote; files in the making are younger than `minAgeMs`. */
export async function removeLeftovers(directory: string, minAgeMs: number): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!/^\..+\.[0-9a-f]{16}\.tmp$/.test(name)) continue
    const path = join(directory, name)
    const written = await modifiedAt(path)
    if (written !== undefined && Date.now() - written >= minAgeMs) await rm(path, { force: true })
  }
}

/** In milliseconds; undefined when another process has just moved the file to its place. */
async function modifiedAt(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

async function writeTemporary(path: string, text: string, mode: number): Promise<string> {
  // Rename and link work only within one file system, so the temporary file lives beside its target.
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}.tmp`)
  try {
    await using file = await open(temporary, 'wx', mode)
    await file.writeFile(text)
    await file.sync()
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  return temporary
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path)
  await directory.sync()
}
