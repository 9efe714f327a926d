import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'

const discardedBytes = 64 * 1024
const discardMs = 5000

/** An answer of which the body has not been read. */
export class WireAnswer {
  /** Whose answer it is. */
  readonly url: URL
  readonly #data: Dispatcher.ResponseData

  constructor(url: URL, data: Dispatcher.ResponseData) {
    this.url = url
    this.#data = data
  }

  get status(): number {
    return this.#data.statusCode
  }

  /** With commas between, when it comes several times. */
  header(name: string): string | undefined {
    const value = this.#data.headers[name]
    return typeof value === 'string' ? value : value?.join(', ')
  }

  /** Without parameters, in lower case. */
  get mediaType(): string | undefined {
    return this.header('content-type')?.split(';')[0]?.trim().toLowerCase()
  }

  /** What the body is announced to have; undefined: nothing is said. */
  get length(): number | undefined {
    const length = this.header('content-length')
    return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined
  }

  get body(): Readable {
    return this.#data.body
  }

  /** Reads what little there may be, so that the connection can be kept; else ends it. Never rejects. */
  async discard(): Promise<void> {
    const signal = AbortSignal.timeout(discardMs)
    await this.#data.body.dump({ limit: discardedBytes, signal }).catch(() => undefined)
  }
}
