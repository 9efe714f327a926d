import { pino, type Logger } from 'pino'

/** One JSON object per line on standard error, synchronously, so that a crash does not swallow its own last words. */
export function processLog(part: 'supervisor' | 'registry' | 'gateway'): Logger {
  return pino(
    { base: { part, pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  )
}
