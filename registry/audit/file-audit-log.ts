import type { Logger } from 'pino'
import { isFull } from '../storage/durable-files.ts'
import { formatLine } from './audit-lines.ts'
import type { AuditLog } from './audit-log.ts'
import { BackgroundLines } from './background-lines.ts'
import { readAudit } from './read-audit.ts'
import { RotatingFile, type Rotation } from './rotating-file.ts'
import { Trouble } from './trouble.ts'

export interface FileAuditLogOptions {
  /** Absolute path. Made when missing, for its user alone; the rotated ones lie beside it. */
  readonly file: string
  readonly rotation: Rotation
  /** Told of what could not be recorded. */
  readonly log: Logger
  readonly now?: () => Date
}

/**
 * One event a line, as JSON. On the disk within a second; a query sees what is written by then. Rejects when the file cannot be opened, but
 * not for a full disk: nothing that happens to the log later stops anything either. One process at a time.
 */
export async function openAuditLog(options: FileAuditLogOptions): Promise<AuditLog> {
  const { file, rotation, log, now = () => new Date() } = options
  const rotating = new RotatingFile(file, rotation)
  const trouble = new Trouble(log, file, now)
  await open(rotating, trouble)
  const lines = new BackgroundLines(rotating, trouble)
  return {
    record: (event) => lines.add(formatLine({ at: now(), ...event })),
    query: async (query) => {
      await lines.flush()
      return await readAudit(file, query)
    },
    [Symbol.asyncDispose]: () => lines[Symbol.asyncDispose](),
  }
}

async function open(file: RotatingFile, trouble: Trouble): Promise<void> {
  try {
    await file.open()
  } catch (cause) {
    if (isFull(cause)) return trouble.tell(cause, 0)
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`the audit log cannot be opened: ${reason}; change registry.audit.file`, { cause })
  }
}
