export interface PaceLimits {
  /** How long nothing may come. */
  readonly silenceMs: number
  /** How much must come in `windowMs`, on average. */
  readonly bytesPerSecond: number
  readonly windowMs: number
}

/** Whether bytes come fast enough. Only the time counts in which somebody waits for them. */
export class Pace {
  readonly #limits: PaceLimits
  readonly #now: () => number
  /** When the waiting began that goes on; undefined: nobody waits. */
  #since: number | undefined
  /** When the last bytes came, or the waiting began. */
  #lastMove: number
  #waitedMs = 0
  #bytes = 0

  constructor(limits: PaceLimits, now: () => number) {
    this.#limits = limits
    this.#now = now
    this.#since = now()
    this.#lastMove = this.#since
  }

  received(bytes: number): void {
    this.#bytes += bytes
    this.#lastMove = this.#now()
  }

  /** The reader has enough for now. */
  hold(): void {
    this.#count()
    this.#since = undefined
  }

  /** The reader waits again. */
  resume(): void {
    if (this.#since !== undefined) return
    this.#since = this.#now()
    this.#lastMove = this.#since
  }

  /** What is wrong by now; undefined: nothing. */
  problem(): string | undefined {
    const { silenceMs, bytesPerSecond, windowMs } = this.#limits
    if (this.#since === undefined) return undefined
    if (this.#now() - this.#lastMove >= silenceMs) return `nothing came for ${silenceMs} ms`
    this.#count()
    if (this.#waitedMs < windowMs) return undefined
    const enough = this.#bytes >= (bytesPerSecond * this.#waitedMs) / 1000
    const problem = `${this.#bytes} bytes in ${Math.round(this.#waitedMs / 1000)} s, less than ${bytesPerSecond} B/s`
    this.#waitedMs = 0
    this.#bytes = 0
    return enough ? undefined : problem
  }

  #count(): void {
    if (this.#since === undefined) return
    const now = this.#now()
    this.#waitedMs += now - this.#since
    this.#since = now
  }
}
