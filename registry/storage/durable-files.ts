import { constants } from 'node:fs'
import { copyFile, mkdir, open, rename, unlink } from 'node:fs/promises'
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
  await copyFile(from, partial, constants.COPYFILE_FICLONE)
  await syncFile(partial)
  await rename(partial, to)
}

function partialOf(file: string): string {
  return `${file}.partial`
}

/** Moves a file whose bytes are synced already. Both names must be on one file system. */
export async function moveDurably(from: string, to: string): Promise<void> {
  await rename(from, to)
  await syncDirectory(dirname(to))
}

/** Resolves with how many of them there were. Each directory is synced once. */
export async function removeDurably(files: readonly string[]): Promise<number> {
  let removed = 0
  const directories = new Set<string>()
  for (const file of files) {
    if (!(await removeIfPresent(file))) continue
    removed += 1
    directories.add(dirname(file))
  }
  for (const directory of directories) await syncDirectory(directory)
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
export async function makeDirectoryDurably(directory: string): Promise<void> {
  const firstMade = await mkdir(directory, { recursive: true })
  const top = dirname(firstMade ?? directory)
  for (let made = directory; made !== top; made = dirname(made)) await syncDirectory(dirname(made))
}

/** Only ENOENT means absence; a file that may not be read is an error. */
export function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT'
}

export function isFull(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ENOSPC' || code === 'EDQUOT'
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
