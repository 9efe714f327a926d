import { finished, Readable } from 'node:stream'
import { reasonOf } from './failures.ts'
import { Pace, type PaceLimits } from './pace.ts'
import { UpstreamFailure } from './upstream.ts'

export interface BodyOptions {
  /** For messages. */
  readonly what: string
  /** How many bytes there must be; undefined: as many as come. */
  readonly length: number | undefined
  readonly limits: PaceLimits
  readonly now: () => number
  readonly received: (bytes: number) => void
  readonly failed: (failure: UpstreamFailure) => void
}

const bufferedBytes = 256 * 1024

/**
 * The bytes of `source`, or an error of kind unreachable: when they break off, are more than announced, stand still or drip. What has
 * come is read before the error: it need not come again.
 */
export function pacedBody(source: Readable, options: BodyOptions): Readable {
  return new PacedBody(source, options)
}

/** Takes what is there at once, since a gibibyte comes in 65,000 pieces: a pipe costs more than all that is done here. */
class PacedBody extends Readable {
  readonly #source: Readable
  readonly #options: BodyOptions
  readonly #pace: Pace
  readonly #watch: NodeJS.Timeout
  #bytes = 0
  #isWanted = true
  /** To be told when all has been read that came before. */
  #broken: UpstreamFailure | undefined

  constructor(source: Readable, options: BodyOptions) {
    super({ highWaterMark: bufferedBytes })
    this.#source = source
    this.#options = options
    this.#pace = new Pace(options.limits, options.now)
    const { silenceMs, windowMs } = options.limits
    this.#watch = setInterval(() => this.#look(), Math.max(20, Math.min(1000, silenceMs / 4, windowMs / 4)))
    this.#watch.unref()
    source.on('readable', () => this.#take())
    finished(source, { writable: false }, (error) => this.#end(error ?? undefined))
  }

  override read(size?: number): unknown {
    const chunk: unknown = super.read(size)
    if (this.#broken && this.readableLength === 0) this.destroy(this.#broken)
    return chunk
  }

  override _read(): void {
    this.#pace.resume()
    this.#isWanted = true
    this.#take()
  }

  #take(): void {
    while (this.#isWanted && !this.destroyed) {
      const chunk = this.#source.read() as Buffer | null
      if (chunk === null) return
      const { length, received } = this.#options
      this.#bytes += chunk.length
      this.#pace.received(chunk.length)
      received(chunk.length)
      if (length !== undefined && this.#bytes > length) return void this.destroy(this.#wrongLength())
      this.#isWanted = this.push(chunk)
      if (!this.#isWanted) this.#pace.hold()
    }
  }

  #end(error: Error | undefined): void {
    clearInterval(this.#watch)
    if (this.destroyed) return
    const { length } = this.#options
    const isWrong = length !== undefined && this.#bytes !== length
    const failure = error ? this.#failure(reasonOf(error), error) : isWrong ? this.#wrongLength() : undefined
    if (!failure) this.push(null)
    else if (this.readableLength === 0) this.destroy(failure)
    else this.#broken = failure
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearInterval(this.#watch)
    this.#source.destroy()
    if (error instanceof UpstreamFailure) this.#options.failed(error)
    return done(error)
  }

  #look(): void {
    const problem = this.#pace.problem()
    if (problem !== undefined) this.destroy(this.#failure(problem))
  }

  #wrongLength(): UpstreamFailure {
    return this.#failure(`${this.#options.length} bytes were announced, and ${this.#bytes} have come`)
  }

  #failure(reason: string, cause?: unknown): UpstreamFailure {
    return new UpstreamFailure('unreachable', `${this.#options.what} broke off: ${reason}`, {
      reason: `an answer broke off: ${reason}`,
      cause,
    })
  }
}
