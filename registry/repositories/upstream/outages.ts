import { IsolatedFailure } from './failures.ts'
import { UpstreamFailure, type Upstream } from './upstream.ts'

export interface Probed {
  /** Asks for next to nothing. Rejects with an UpstreamFailure unless the upstream answers with less than 500. */
  probe(): Promise<void>
}

export interface OutageOptions {
  /** How long the upstream is left alone when it could not be reached; 0: not at all. */
  readonly assumedOfflinePeriodSecs: number
  readonly now?: () => number
  /** Told when an outage begins and when it ends. */
  readonly noticed?: (change: 'offline' | 'online', reason: string) => void
}

const usualLimitSeconds = 5
const maxLimitSeconds = 3600
const lookEveryMs = 5000
const isolatedInARow = 3

/**
 * Leaves an upstream alone that could not be reached, or that wants to be: what is asked meanwhile is answered at once, with the failure.
 * While it is asked, it looks now and then whether the upstream is back.
 */
export function withOutages(upstream: Upstream & Probed, options: OutageOptions): Upstream {
  const outages = new Outages(upstream, options)
  return {
    name: upstream.name,
    manifestHead: (image, reference, known) => outages.ask(() => upstream.manifestHead(image, reference, known)),
    manifest: (image, reference) => outages.ask(() => upstream.manifest(image, reference)),
    blobHead: (image, digest) => outages.ask(() => upstream.blobHead(image, digest)),
    blob: (image, digest, offset) => outages.ask(() => upstream.blob(image, digest, offset)),
    // Somebody else's host, of which nothing follows for the upstream.
    foreign: (url, offset) => upstream.foreign(url, offset),
    tags: (image) => outages.ask(() => upstream.tags(image)),
    images: () => outages.ask(() => upstream.images()),
    referrers: (image, subject) => outages.ask(() => upstream.referrers(image, subject)),
  }
}

interface Pause {
  readonly failure: UpstreamFailure
  readonly until: number
}

class Outages {
  readonly #upstream: Upstream & Probed
  readonly #options: OutageOptions
  readonly #now: () => number
  #outage: Pause | undefined = undefined
  #limit: Pause | undefined = undefined
  /** Failures of single things in a row. */
  #isolated = 0
  #backSince = -Infinity
  #lastLook = -Infinity
  #look: Promise<void> | undefined = undefined

  constructor(upstream: Upstream & Probed, options: OutageOptions) {
    this.#upstream = upstream
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  async ask<answer>(call: () => Promise<answer>): Promise<answer> {
    this.#refuseWhileLimited()
    this.#refuseWhileOffline()
    const began = this.#now()
    try {
      const answer = await call()
      this.#isolated = 0
      this.#end()
      return answer
    } catch (error) {
      if (error instanceof UpstreamFailure) this.#learn(error, began)
      throw error
    }
  }

  #refuseWhileLimited(): void {
    if (!this.#limit) return
    const seconds = Math.ceil((this.#limit.until - this.#now()) / 1000)
    if (seconds <= 0) {
      this.#limit = undefined
      return
    }
    const { failure } = this.#limit
    const message = `${this.#upstream.name} is left alone for ${seconds} s: ${failure.reason}`
    throw new UpstreamFailure('limited', message, { retryAfterSeconds: seconds, cause: failure })
  }

  #refuseWhileOffline(): void {
    const outage = this.#outage
    if (!outage || this.#now() >= outage.until) return
    this.#lookSometimes()
    const until = new Date(outage.until).toISOString()
    const message = `${this.#upstream.name} is taken to be offline until ${until}: ${outage.failure.reason}`
    throw new UpstreamFailure('unreachable', message, { cause: outage.failure })
  }
  #learn(failure: UpstreamFailure, began: number): void {
    switch (failure.kind) {
      case 'limited':
        return this.#limitBy(failure)
      case 'unreachable':
        if (failure instanceof IsolatedFailure && ++this.#isolated < isolatedInARow) return
        // One that was asked before it came back says nothing new.
        return began < this.#backSince ? undefined : this.#begin(failure)
      case 'refused':
      case 'wrong':
        return
    }
  }

  #limitBy(failure: UpstreamFailure): void {
    const seconds = Math.min(failure.retryAfterSeconds ?? usualLimitSeconds, maxLimitSeconds)
    if (seconds > 0) this.#limit = { failure, until: this.#now() + 1000 * seconds }
  }

  #begin(failure: UpstreamFailure): void {
    const now = this.#now()
    const periodMs = 1000 * this.#options.assumedOfflinePeriodSecs
    if (periodMs === 0 || (this.#outage && now < this.#outage.until)) return
    this.#outage = { failure, until: now + periodMs }
    this.#lastLook = now
    this.#options.noticed?.('offline', failure.message)
  }

  #end(): void {
    if (!this.#outage) return
    this.#outage = undefined
    this.#isolated = 0
    this.#backSince = this.#now()
    this.#options.noticed?.('online', `${this.#upstream.name} answers again`)
  }

  #lookSometimes(): void {
    const now = this.#now()
    if (this.#look || now - this.#lastLook < lookEveryMs) return
    this.#lastLook = now
    this.#look = this.#lookOnce().finally(() => (this.#look = undefined))
  }

  async #lookOnce(): Promise<void> {
    try {
      await this.#upstream.probe()
      this.#end()
    } catch {
      // Still away; whoever asks next is told so, as all are until then.
    }
  }
}
