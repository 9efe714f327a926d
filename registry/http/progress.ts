import { Readable } from 'node:stream'
import type { Growth } from '../repositories/repository.ts'

/** So many bytes more are told at once, fewer when nothing has been told for so long. */
const tellBytes = 1024 * 1024
const tellMs = 50

/**
 * How a blob's file grows, in the lines that wire/sendfile.ts describes. Whoever reads slowly is told less often. Fails when the
 * blob will not be had; destroyed, it listens no more.
 */
export class Progress extends Readable {
  readonly #growth: Pick<Growth, 'available'>
  readonly #size: number
  #numbers: AsyncIterator<number> | undefined
  #available = 0
  #told = -Infinity
  #toldAt = 0
  #isWanted = false
  #isDue = false
  #timer: NodeJS.Timeout | undefined

  constructor(growth: Pick<Growth, 'available'>, size: number) {
    super({ highWaterMark: 256 })
    this.#growth = growth
    this.#size = size
  }

  override _read(): void {
    this.#isWanted = true
    if (this.#isDue) this.#tell()
    if (this.#numbers) return
    this.#numbers = this.#growth.available()[Symbol.asyncIterator]()
    void this.#follow(this.#numbers)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer)
    void this.#leave()
    done(error)
  }

  async #leave(): Promise<void> {
    try {
      await this.#numbers?.return?.()
    } catch {
      // nobody's concern any more
    }
  }

  async #follow(numbers: AsyncIterator<number>): Promise<void> {
    try {
      do {
        const { done, value } = await numbers.next()
        if (this.destroyed) return
        if (done) throw new Error(`a growing file ended at ${this.#available} of ${this.#size} bytes`)
        this.#available = value
        this.#note()
      } while (this.#available < this.#size)
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #note(): void {
    const restMs = this.#toldAt + tellMs - performance.now()
    if (this.#available === this.#size || this.#available - this.#told >= tellBytes || restMs <= 0) this.#tell()
    else this.#timer ??= setTimeout(() => this.#tell(), restMs)
  }

  #tell(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#isDue = !this.#isWanted
    if (this.#isDue) return
    this.#told = this.#available
    this.#toldAt = performance.now()
    this.#isWanted = this.push(`${this.#told}\n`)
    if (this.#told === this.#size) this.push(null)
  }
}
