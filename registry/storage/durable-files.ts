import { constants, existsSync } from 'node:fs'
import { copyFile, mkdir, open, readFile, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes what was created, renamed or unlinked in `directory` survive a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  await syncFile(directory)
}

export async function syncFile(file: string): Promise<void> {
  await using handle = await open(file)
  await handle.sync()
}

/** All of the text or nothing, also after a power cut; nobody but its owner may read it. */
export async function writeDurably(file: string, text: string): Promise<void> {
  const partial = partialOf(file)
  await using handle = await open(partial, 'w', 0o600)
  await handle.writeFile(text)
  await handle.sync()
  await moveDurably(partial, file)
}

/** All of the file or nothing; its name is durable once its directory has been synced. Shares the space where the file system can. */
export async function copySynced(from: string, to: string): Promise<void> {
  const partial = partialOf(to)
  try {
    await copyFile(from, partial, constants.COPYFILE_FICLONE)
    await syncFile(partial)
    await rename(partial, to)
  } catch (error) {
    await removeIfPresent(partial)
    throw error
  }
}

/** Where a file is written before it is moved to its place. */
export function partialOf(file: string): string {
  return `${file}.partial`
}

/** Moves a file whose bytes are synced already. Both names must be on one file system. */
export async function moveDurably(from: string, to: string): Promise<void> {
  await rename(from, to)
  await syncDirectory(dirname(to))
}

/**
 * Resolves with how many of them there were. Each directory is synced once, also for a file that is not there: whoever removed it may
 * have been killed before it could.
 */
export async function removeDurably(files: readonly string[]): Promise<number> {
  let removed = 0
  for (const file of files) if (await removeIfPresent(file)) removed += 1
  for (const directory of new Set(files.map((file) => dirname(file))))
    if (existsSync(directory)) await syncDirectory(directory)
  return removed
}

/** False when there was no such file. */
export async function removeIfPresent(file: string): Promise<boolean> {
  try {
    await unlink(file)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/** Synced also when it is there already: whoever made it may have been killed before it could. */
export async function makeDirectoryDurably(directory: string, mode = 0o777): Promise<void> {
  const firstMade = await mkdir(directory, { recursive: true, mode })
  const top = dirname(firstMade ?? directory)
  for (let made = directory; made !== top; made = dirname(made)) await syncDirectory(dirname(made))
}

/** The same, but not those around it: rejects with ENOENT when they are missing. */
export async function makeOneDirectoryDurably(directory: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(directory, { mode })
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
  await syncDirectory(dirname(directory))
}

/** Undefined when there is no such file. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Nothing is there, nor could be (ENOTDIR: what stands for its directory is a file). What may not be read is an error. */
export function isMissing(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** Something is there, and it does not give back bytes: a broken disk or file system, a directory, a pipe, or a symbolic link not followed. */
export function isUnreadable(error: unknown): boolean {
  return ['EIO', 'EUCLEAN', 'EBADMSG', 'EISDIR', 'ELOOP', 'ENXIO', 'ESPIPE'].includes(codeOf(error) ?? '')
}

export function isFull(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ENOSPC' || code === 'EDQUOT'
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
