import { Writable } from 'node:stream'
import type { Extent } from './file-bytes.ts'

const wellFormed = /^\d{1,16}$/

/** Takes the progress of a growing file, in the lines that wire/sendfile.ts describes, and is how far it can be read. */
export class Progress extends Writable implements Extent {
  readonly #size: number
  /** Nothing is not the same as all of an empty file. */
  #available = -1
  #rest = ''
  #change: PromiseWithResolvers<undefined> | undefined

  constructor(size: number) {
    super()
    this.#size = size
  }

  get available(): number {
    return this.#available
  }

  /** All of the bytes are there and verified: whatever becomes of the progress now. */
  get isWhole(): boolean {
    return this.#available === this.#size
  }

  beyond(position: number): number | Promise<number> {
    if (this.isWhole || (this.#available > position && !this.destroyed)) return this.#available
    return this.#wait(position)
  }

  async #wait(position: number): Promise<number> {
    while (!this.isWhole && (this.#available <= position || this.destroyed)) {
      if (this.destroyed) throw this.errored ?? new Error('the progress of a file is no longer followed')
      this.#change ??= Promise.withResolvers<undefined>()
      await this.#change.promise
    }
    return this.#available
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    const lines = (this.#rest + chunk.toString('latin1')).split('\n')
    this.#rest = lines.pop() ?? ''
    const last = lines.at(-1)
    const available = last === undefined ? this.#available : Number(last)
    const isRight = last === undefined ? this.#rest.length <= 16 : wellFormed.test(last)
    if (!isRight || available < this.#available || available > this.#size) {
      done(new Error(`the progress of a file of ${this.#size} bytes makes no sense after ${this.#available}`))
      return
    }
    this.#available = available
    this.#wake()
    done()
  }

  override _final(done: (error?: Error) => void): void {
    if (this.isWhole) done()
    else done(new Error(`the progress of a file ended at ${this.#available} of ${this.#size} bytes`))
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#wake()
    done(error)
  }

  #wake(): void {
    this.#change?.resolve(undefined)
    this.#change = undefined
  }
}
