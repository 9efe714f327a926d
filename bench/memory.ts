import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { setTimeout as pause } from 'node:timers/promises'
import type { Contender } from './contenders.ts'

const execute = promisify(execFile)

/** Resident memory (MiB) of all processes of a contender at its highest while `count` clients pull slowly at once. */
export async function peakUnderPulls(contender: Contender, url: string, count: number): Promise<number> {
  const ended = new AbortController()
  let peakMiB = 0
  const pulls = Array.from({ length: count }, () =>
    execute('curl', [
      '--silent',
      '--insecure',
      '--limit-rate',
      '20M',
      '--max-time',
      '10',
      '-o',
      '/dev/null',
      url,
    ]).catch(() => {
      // ended by --max-time: it pulled as long as it was to
    }),
  )
  void Promise.all(pulls).then(() => ended.abort())
  while (!ended.signal.aborted) {
    peakMiB = Math.max(peakMiB, contender.usage().residentMiB)
    await pause(100)
  }
  return peakMiB
}
