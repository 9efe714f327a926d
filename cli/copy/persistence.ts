import { setTimeout as pause } from 'node:timers/promises'
import { UpstreamFailure } from '../../registry/repositories/upstream/upstream.ts'

const attempts = 5
const longestPauseSeconds = 60

/** Does it again, after a pause, while a registry cannot be reached or asks for patience that one can have. */
export async function persistently<result>(
  work: () => Promise<result>,
  wait: (seconds: number) => Promise<unknown> = (seconds) => pause(seconds * 1000),
): Promise<result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const seconds = pauseAfter(error, attempt)
      if (seconds === undefined) throw error
      await wait(seconds)
    }
  }
}

/** Undefined: it is of no use. */
function pauseAfter(error: unknown, attempt: number): number | undefined {
  if (!(error instanceof UpstreamFailure) || attempt >= attempts) return undefined
  if (error.kind !== 'unreachable' && error.kind !== 'limited') return undefined
  const seconds = error.retryAfterSeconds ?? 2 ** (attempt - 1)
  return seconds <= longestPauseSeconds ? seconds : undefined
}
