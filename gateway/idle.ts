import { awaitsBody, type Answer } from './answer.ts'
import { refuse } from './refusal.ts'

/**
 * Ends what has stood still for the idle time on one of its two connections, unless that one waits for the other. The progress of
 * a growing file waits for nobody, and a client that has taken all there is waits for that.
 */
export function endIdle(answer: Answer, side: 'client' | 'upstream'): void {
  const outgoing = answer.upstream?.request
  if (side === 'client' && (outgoing?.writableNeedDrain || (answer.followsGrowth && answer.writableLength === 0)))
    return
  if (side === 'upstream' && answer.writableNeedDrain && !answer.followsGrowth) return

  if (answer.headersSent) answer.destroy()
  else if (awaitsBody(answer) && !outgoing?.writableNeedDrain) {
    refuse(answer, { status: 408, code: 'BAD_REQUEST', message: 'the rest of the request did not come' })
  } else {
    refuse(answer, { status: 504, code: 'UNAVAILABLE', message: 'the registry took too long to answer' })
  }
  outgoing?.destroy()
}
