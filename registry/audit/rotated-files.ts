import { readdir, rename } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { isMissing, removeIfPresent, syncDirectory } from '../storage/durable-files.ts'

/** Number 0 is the file that is written to; the higher the number, the older. */
export function rotatedName(file: string, number: number): string {
  return number === 0 ? file : `${file}.${number}`
}

/**
 * Makes room for a new `file` by renaming it and those before it, and removes all but the newest `keep` of these. Numbers only grow,
 * so that nobody who reads from the newest to the oldest misses one. Killed half-way it leaves a gap, which the next call closes.
 */
export async function rotate(file: string, keep: number): Promise<void> {
  const numbers = await rotatedNumbers(file)
  const untilGap = numbers.filter((number, index) => number === index + 1)
  for (const number of [...untilGap.toReversed(), 0])
    await rename(rotatedName(file, number), rotatedName(file, number + 1))
  for (const number of await rotatedNumbers(file)) if (number > keep) await removeIfPresent(rotatedName(file, number))
  await syncDirectory(dirname(file))
}

/** Of the files that have been rotated, ascending; they may have gaps. */
export async function rotatedNumbers(file: string): Promise<readonly number[]> {
  const prefix = `${basename(file)}.`
  const entries = await entriesOf(dirname(file))
  return entries
    .filter((entry) => entry.isFile() && entry.name.startsWith(prefix))
    .map(({ name }) => name.slice(prefix.length))
    .filter((suffix) => /^[1-9]\d{0,8}$/.test(suffix))
    .map(Number)
    .sort((a, b) => a - b)
}

async function entriesOf(directory: string) {
  try {
    return await readdir(directory, { withFileTypes: true })
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
