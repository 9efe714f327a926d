import type { Logger } from 'pino'

const pauseMs = 60_000

/** Tells the log of events that cannot be recorded, once a minute at most. */
export class Trouble {
  readonly #log: Logger
  readonly #file: string
  readonly #now: () => Date
  #lost = 0
  #toldAt = -Infinity

  constructor(log: Logger, file: string, now: () => Date) {
    this.#log = log
    this.#file = file
    this.#now = now
  }

  lose(events: number): void {
    this.#lost += events
  }

  /** Whether events were lost since the log was told last. */
  get untold(): boolean {
    return this.#lost > 0
  }

  /** So many events wait until the file can be written again. */
  tell(error: unknown, waiting: number): void {
    if (!this.#isDue()) return
    this.#log.error({ err: error, file: this.#file, waiting, lost: this.#lost }, 'the audit log cannot be written')
    this.#told()
  }

  tellLosses(): void {
    if (this.untold && this.#isDue()) this.tellTheRest()
  }

  /** At the end, however little time has passed. */
  tellTheRest(): void {
    if (!this.untold) return
    this.#log.error({ file: this.#file, lost: this.#lost }, 'events were not kept in the audit log')
    this.#told()
  }

  /** Also when the clock was set back. */
  #isDue(): boolean {
    const since = this.#now().getTime() - this.#toldAt
    return since < 0 || since >= pauseMs
  }

  #told(): void {
    this.#lost = 0
    this.#toldAt = this.#now().getTime()
  }
}
