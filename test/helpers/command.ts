import { fileURLToPath } from 'node:url'
import { attempt, type Output } from './program.ts'

const launcher = fileURLToPath(new URL('../../cli/caisson.js', import.meta.url))

/** Runs `caisson <words>` on the data directory to its end, good or bad. */
export async function command(dataDirectory: string, ...words: readonly string[]): Promise<Output> {
  return await attempt(process.execPath, [launcher, ...words, '--data', dataDirectory])
}
