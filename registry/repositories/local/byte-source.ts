/** Takes from a stream of chunks as many bytes as are asked for. Gives back the stream when it is disposed of. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>
  #rest: Buffer = Buffer.alloc(0)

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.#chunks = bytes[Symbol.asyncIterator]()
  }

  /** What is there, at least one byte and at most `length`; none at the end. */
  async some(length: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#chunks.next()
      if (done === true) return this.#rest
      this.#rest = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    }
    const bytes = this.#rest.subarray(0, length)
    this.#rest = this.#rest.subarray(length)
    return bytes
  }

  /** `length` bytes; fewer only at the end. They are in memory, so the caller has limits. */
  async take(length: number): Promise<Buffer> {
    const first = await this.some(length)
    if (first.length === length || first.length === 0) return first
    const parts = [first]
    for (let missing = length - first.length; missing > 0;) {
      const part = await this.some(missing)
      if (part.length === 0) break
      parts.push(part)
      missing -= part.length
    }
    return Buffer.concat(parts)
  }

  async skip(length: number): Promise<void> {
    for (let left = length; left > 0;) {
      const { length: skipped } = await this.some(left)
      if (skipped === 0) return
      left -= skipped
    }
  }

  async *all(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const bytes = await this.some(Infinity)
      if (bytes.length === 0) return
      yield bytes
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chunks.return?.()
  }
}
