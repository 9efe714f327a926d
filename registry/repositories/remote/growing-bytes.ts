import { Readable } from 'node:stream'
import type { ByteRange } from '../../../wire/byte-range.ts'
import type { UploadReader } from '../../storage/blob-store.ts'
import type { Arrival } from './arrival.ts'

const readBytes = 256 * 1024

/** The bytes of a range of a blob that is coming in, each part as soon as it is there. Errs when the blob never will be. */
export class GrowingBytes extends Readable {
  readonly #arrival: Arrival
  readonly #reader: UploadReader
  readonly #last: number
  #position: number
  #waiting = false
  #stopListening: () => void = () => {}

  /** Disposes of `reader` when it is closed. */
  constructor(arrival: Arrival, reader: UploadReader, { first, last }: ByteRange) {
    super({ highWaterMark: readBytes })
    this.#arrival = arrival
    this.#reader = reader
    this.#position = first
    this.#last = last
    // A failure that comes before anybody reads is thrown to whoever does, and must not end the process.
    this.on('error', () => {})
    this.#listen()
  }

  override _read(): void {
    const { end, available } = this.#arrival
    if (this.#allGiven()) this.push(null)
    else if (end?.kind === 'failed') this.destroy(asError(end.error))
    else if (this.#position < available) void this.#readUpTo(Math.min(available, this.#last + 1))
    else this.#waiting = true
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#stopListening()
    void this.#close(error, done)
  }

  async #close(error: Error | null, done: (error?: Error | null) => void): Promise<void> {
    try {
      await this.#reader[Symbol.asyncDispose]()
      done(error)
    } catch (failure) {
      done(error ?? asError(failure))
    }
  }

  /** That a blob is empty must have been verified too. */
  #allGiven(): boolean {
    return this.#position > this.#last && (this.#arrival.size > 0 || this.#arrival.isVerified)
  }

  #listen(): void {
    this.#stopListening = this.#arrival.onChange(() => this.#changed())
  }

  /** Whoever reads slowly, or not at all just now, is told of a failure too. */
  #changed(): void {
    const { end } = this.#arrival
    if (!end) this.#listen()
    if (end?.kind === 'failed' && !this.#allGiven()) this.destroy(asError(end.error))
    else if (this.#waiting) {
      this.#waiting = false
      this._read()
    }
  }

  async #readUpTo(end: number): Promise<void> {
    try {
      const into = Buffer.allocUnsafe(Math.min(readBytes, end - this.#position))
      const count = await this.#reader.read(into, this.#position)
      if (this.destroyed) return
      if (count === 0) return this.#missed()
      this.#position += count
      this.push(into.subarray(0, count))
    } catch (error) {
      this.destroy(asError(error))
    }
  }

  /** A full disk has taken back what was there: that ends the fetch, as everybody is about to be told. */
  #missed(): void {
    if (this.#arrival.end?.kind === 'whole') this.destroy(new Error('the file ends before the blob does'))
    else if (this.#arrival.end) this._read()
    else this.#waiting = true
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
