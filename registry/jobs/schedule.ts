import { setTimeout } from 'node:timers/promises'
import type { Logger } from 'pino'

/** One piece of work in the background. A `signal` that is aborted asks it to come to an end soon. */
export interface Job {
  readonly name: string
  readonly everyMs: number
  run(signal: AbortSignal): Promise<void>
}

/** Runs each job now and then again and again, a pause of `everyMs` after it has ended. Disposing waits for what runs. */
export function schedule(jobs: readonly Job[], log: Logger): AsyncDisposable {
  const stopping = new AbortController()
  const loops = jobs.map((job) => loop(job, stopping.signal, log))
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await Promise.all(loops)
    },
  }
}

async function loop(job: Job, signal: AbortSignal, log: Logger): Promise<void> {
  while (!signal.aborted) {
    try {
      await job.run(signal)
    } catch (error) {
      log.error({ err: error, job: job.name }, 'a job failed; it is tried again')
    }
    await pause(job.everyMs, signal)
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(ms, undefined, { signal })
  } catch {
    // Only `signal` ends it early.
  }
}
