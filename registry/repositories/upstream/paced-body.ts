import { pipeline, Transform, type Readable, type TransformCallback } from 'node:stream'
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

/** The bytes of `source`, or an error of kind unreachable: when they break off, are more than announced, stand still or drip. */
export function pacedBody(source: Readable, options: BodyOptions): Readable {
  const body = new PacedBody(source, options)
  // Errors of either end both; the reader sees that of `body`.
  pipeline(source, body, () => undefined)
  return body
}

class PacedBody extends Transform {
  readonly #source: Readable
  readonly #options: BodyOptions
  readonly #pace: Pace
  readonly #watch: NodeJS.Timeout
  #bytes = 0

  constructor(source: Readable, options: BodyOptions) {
    super({ highWaterMark: bufferedBytes })
    this.#source = source
    this.#options = options
    this.#pace = new Pace(options.limits, options.now)
    const { silenceMs, windowMs } = options.limits
    this.#watch = setInterval(() => this.#look(), Math.max(20, Math.min(1000, silenceMs / 4, windowMs / 4)))
    this.#watch.unref()
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const { length, received } = this.#options
    this.#bytes += chunk.length
    this.#pace.received(chunk.length)
    received(chunk.length)
    if (length !== undefined && this.#bytes > length) return done(this.#wrongLength())
    if (!this.push(chunk)) this.#pace.hold()
    return done()
  }

  override _read(size: number): void {
    this.#pace.resume()
    super._read(size)
  }

  override _flush(done: TransformCallback): void {
    clearInterval(this.#watch)
    const { length } = this.#options
    return done(length !== undefined && this.#bytes !== length ? this.#wrongLength() : null)
  }

  /** Here, for a stream keeps the error that it is destroyed with for those who read it later. */
  override destroy(error?: Error): this {
    return super.destroy(error && (this.#failureOf(error) ?? error))
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearInterval(this.#watch)
    if (error instanceof UpstreamFailure) this.#options.failed(error)
    return done(error)
  }

  #look(): void {
    const problem = this.#pace.problem()
    if (problem !== undefined) this.destroy(this.#failure(problem))
  }

  /** Undefined when it is the reader who gave up. */
  #failureOf(error: Error): UpstreamFailure | undefined {
    if (error instanceof UpstreamFailure) return error
    const broken = this.#source.destroyed && !this.#source.readableEnded
    return broken ? this.#failure(reasonOf(error), error) : undefined
  }

  #wrongLength(): UpstreamFailure {
    return this.#failure(`${this.#options.length} bytes were announced, and ${this.#bytes} have come`)
  }

  #failure(reason: string, cause?: unknown): UpstreamFailure {
    return new UpstreamFailure('unreachable', `${this.#options.what} broke off: ${reason}`, { cause })
  }
}
