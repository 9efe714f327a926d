import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Contender } from './contenders.ts'

const execute = promisify(execFile)

export interface Measured {
  readonly contender: string
  /** CPU-seconds of all processes of the contender per unit of work, one figure per round. */
  readonly cpuSeconds: readonly number[]
}

/**
 * Lets the contenders do the same work in turn, `rounds` times, so that a machine which slows down slows all of them. `work`
 * resolves with how many units it did.
 */
export async function inTurn(
  contenders: readonly Contender[],
  rounds: number,
  work: (contender: Contender) => Promise<number>,
): Promise<readonly Measured[]> {
  const figures = new Map<Contender, number[]>(contenders.map((contender) => [contender, []]))
  for (const contender of contenders) await work(contender) // warm: page cache, compiled code, connections
  for (let round = 0; round < rounds; round++) {
    for (const [contender, seconds] of figures) {
      await execute('sync') // what one left for the disk is not charged to the next
      const before = contender.usage().cpuSeconds
      const units = await work(contender)
      seconds.push((contender.usage().cpuSeconds - before) / units)
    }
  }
  return [...figures].map(([contender, cpuSeconds]) => ({ contender: contender.name, cpuSeconds }))
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}
