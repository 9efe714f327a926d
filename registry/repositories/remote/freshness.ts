import type { Keyv } from 'keyv'

/** For so long the upstream is not asked again about what it has just refused or answered wrongly. */
const postponedMs = 30_000

export interface FreshnessPeriods {
  readonly retrievalCachePeriodSecs: number
  readonly missedRetrievalCachePeriodSecs: number
}

/** What is known of the upstream's part in a thing, for a while. */
export type Known =
  { readonly kind: 'fresh' } | { readonly kind: 'absent' } | { readonly kind: 'postponed'; readonly because: string }

/** When the upstream need not be asked. Of this process: a new one asks again. */
export class Freshness {
  readonly #known: Keyv<Known>
  readonly #periods: FreshnessPeriods

  constructor(known: Keyv<Known>, periods: FreshnessPeriods) {
    this.#known = known
    this.#periods = periods
  }

  async of(thing: string): Promise<Known | undefined> {
    return this.#known.get(thing)
  }

  /** What is here is what the upstream has. */
  async confirm(thing: string): Promise<void> {
    await this.#remember(thing, { kind: 'fresh' }, this.#periods.retrievalCachePeriodSecs * 1000)
  }

  /** The upstream has no such thing. */
  async miss(thing: string): Promise<void> {
    await this.#remember(thing, { kind: 'absent' }, this.#periods.missedRetrievalCachePeriodSecs * 1000)
  }

  /** The upstream cannot say. */
  async postpone(thing: string, because: string): Promise<void> {
    await this.#remember(thing, { kind: 'postponed', because }, postponedMs)
  }

  /** Keyv takes 0 for ever. */
  async #remember(thing: string, known: Known, ms: number): Promise<void> {
    if (ms > 0) await this.#known.set(thing, known, ms)
    else await this.#known.delete(thing)
  }
}
