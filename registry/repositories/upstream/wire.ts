import type { Readable } from 'node:stream'
import type { Exchange, Send } from './connection.ts'
import { withoutQuery } from './failures.ts'
import type { PaceLimits } from './pace.ts'
import { pacedBody } from './paced-body.ts'
import { readRateLimit } from './rate-limit.ts'
import { readBody } from './read-body.ts'
import { followRedirects } from './redirects.ts'
import { UpstreamFailure, type UpstreamObserver } from './upstream.ts'
import type { WireAnswer } from './wire-answer.ts'

export interface WireOptions {
  readonly send: Send
  readonly observer: UpstreamObserver
  readonly limits: PaceLimits
  readonly now: () => number
}

const silencesPerAnswer = 4

/** What goes out and comes in, and is told to the observer. Each rejects with an UpstreamFailure. */
export class Wire {
  readonly #options: WireOptions

  constructor(options: WireOptions) {
    this.#options = options
  }

  now(): number {
    return this.#options.now()
  }

  /** The answer where the redirects end. */
  async follow(exchange: Exchange): Promise<WireAnswer> {
    return await followRedirects((exchange) => this.send(exchange), exchange)
  }

  async send(exchange: Exchange): Promise<WireAnswer> {
    const { send, observer } = this.#options
    try {
      const answer = await send(exchange)
      observer.answered(String(answer.status))
      const rate = readRateLimit(answer.header('ratelimit-limit'), answer.header('ratelimit-remaining'))
      if (rate) observer.rateLimit(rate.limit, rate.remaining)
      return answer
    } catch (error) {
      if (error instanceof UpstreamFailure) observer.answered(error.kind)
      throw error
    }
  }

  /** The answer's body, watched; see {@link pacedBody}. `length`: how much there must be, when that is known. */
  body(answer: WireAnswer, length = answer.length): Readable {
    const { observer, limits, now } = this.#options
    const received = (bytes: number) => observer.received(bytes)
    const failed = ({ kind }: UpstreamFailure) => observer.answered(kind)
    return pacedBody(answer.body, { what: withoutQuery(answer.url), length, limits, now, received, failed })
  }

  /** The whole body; rejects when it is more than that, or takes long altogether: somebody waits for it who has not been answered. */
  async read(answer: WireAnswer, maxBytes: number): Promise<Uint8Array> {
    const what = withoutQuery(answer.url)
    const body = this.body(answer)
    const mostMs = silencesPerAnswer * this.#options.limits.silenceMs
    const late = () => body.destroy(new UpstreamFailure('unreachable', `${what}: not all of it came in ${mostMs} ms`))
    const deadline = setTimeout(late, mostMs)
    try {
      return await readBody(body, maxBytes, what)
    } finally {
      clearTimeout(deadline)
    }
  }
}
