import type { UploadReader } from '../../storage/blob-store.ts'

/** One open file for all who read along; the last of them closes it. */
export class SharedReader implements AsyncDisposable {
  readonly #reader: UploadReader
  #users = 0

  constructor(reader: UploadReader) {
    this.#reader = reader
  }

  /** Each use is disposed of, once. */
  use(): UploadReader {
    this.#users += 1
    return {
      read: (into, position) => this.#reader.read(into, position),
      [Symbol.asyncDispose]: () => this[Symbol.asyncDispose](),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#users -= 1
    if (this.#users === 0) await this.#reader[Symbol.asyncDispose]()
  }
}
