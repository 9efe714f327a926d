import type { Readiness } from './messages.ts'

/** A gateway or a registry, as its process deals with it. */
export interface Running {
  readonly readiness: Readiness
  setTicketKeys?(keys: Buffer): void
  reopenLogs?(): void
  stop(): Promise<void>
}
