/** Buffers that are lent and given back, so that sending a file makes no garbage. */
export class BufferPool {
  readonly size: number
  readonly #kept: number
  readonly #free: Buffer[] = []

  constructor(size: number, kept: number) {
    this.size = size
    this.#kept = kept
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.size)
  }

  give(buffer: Buffer): void {
    if (this.#free.length < this.#kept) this.#free.push(buffer)
  }
}
