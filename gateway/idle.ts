import { awaitsBody, type Answer } from './answer.ts'
import { refuse } from './refusal.ts'

/** Ends what has stood still for the idle time on one of its two connections, unless that one waits for the other. */
export function endIdle(answer: Answer, side: 'client' | 'upstream'): void {
  const outgoing = answer.upstream?.request
  if (side === 'client' && outgoing?.writableNeedDrain) return
  if (side === 'upstream' && answer.writableNeedDrain) return

  if (answer.headersSent) answer.destroy()
  else if (awaitsBody(answer) && !outgoing?.writableNeedDrain) {
    refuse(answer, { status: 408, code: 'BAD_REQUEST', message: 'the rest of the request did not come' })
  } else {
    refuse(answer, { status: 504, code: 'UNAVAILABLE', message: 'the registry took too long to answer' })
  }
  outgoing?.destroy()
}
