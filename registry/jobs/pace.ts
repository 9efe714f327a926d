import { setTimeout } from 'node:timers/promises'

/** The clock of a pace; a test holds it still. Both in milliseconds. */
export interface PaceClock {
  now(): number
  wait(ms: number, signal: AbortSignal): Promise<void>
}

const realClock: PaceClock = {
  now: () => performance.now(),
  wait: async (ms, signal) => setTimeout(ms, undefined, { signal }),
}

/** Keeps work at so many bytes a second. Time in which nothing was to do is not made up for. */
export class Pace {
  readonly #bytesPerMs: number
  readonly #clock: PaceClock
  #freeAt = -Infinity

  constructor(bytesPerSecond: number, clock: PaceClock = realClock) {
    this.#bytesPerMs = bytesPerSecond / 1000
    this.#clock = clock
  }

  /** Resolves when so many bytes may have been done. Rejects when `signal` is aborted. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now()
    this.#freeAt = Math.max(this.#freeAt, now) + bytes / this.#bytesPerMs
    if (this.#freeAt - now >= 1) await this.#clock.wait(this.#freeAt - now, signal)
  }
}
