import { mkdir, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes what was created, renamed or unlinked in `directory` survive a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Moves a file whose bytes are synced already. Both names must be on one file system. */
export async function moveDurably(from: string, to: string): Promise<void> {
  await rename(from, to)
  await syncDirectory(dirname(to))
}

/** False when there was no such file. */
export async function removeDurably(file: string): Promise<boolean> {
  if (!(await removeIfPresent(file))) return false
  await syncDirectory(dirname(file))
  return true
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
