type End = { readonly kind: 'whole' } | { readonly kind: 'failed'; readonly error: unknown }

/** How much of a blob that is coming in can be read, for those who read along. */
export class Arrival {
  readonly size: number
  #received: number
  #isVerified = false
  #end: End | undefined
  readonly #listeners = new Set<() => void>()
  readonly #over = Promise.withResolvers<End>()

  constructor(size: number, received: number) {
    this.size = size
    this.#received = received
  }

  /** Undefined while it goes on. */
  get end(): End | undefined {
    return this.#end
  }

  /** Resolves when it goes on no more. */
  get over(): Promise<End> {
    return this.#over.promise
  }

  /** Whether all of the bytes are there and the right ones. */
  get isVerified(): boolean {
    return this.#isVerified
  }

  /** All but the last byte until all of them have been verified, so that nobody takes a wrong blob for a complete one. */
  get available(): number {
    return this.#isVerified ? this.size : Math.max(0, Math.min(this.#received, this.size - 1))
  }

  receive(total: number): void {
    this.#received = total
    this.#tell()
  }

  /** Nobody who reads along need wait until it is durable, and has become a blob. */
  verify(): void {
    this.#isVerified = true
    this.#tell()
  }

  complete(): void {
    this.#isVerified = true
    this.#close({ kind: 'whole' })
  }

  fail(error: unknown): void {
    this.#close({ kind: 'failed', error })
  }

  /** Calls `listener` at the next change, once. What it returns takes that back. */
  onChange(listener: () => void): () => void {
    const once = () => listener()
    this.#listeners.add(once)
    return () => void this.#listeners.delete(once)
  }

  #close(end: End): void {
    this.#end ??= end
    this.#over.resolve(this.#end)
    this.#tell()
  }

  #tell(): void {
    const listeners = [...this.#listeners] // those that listen again wait for the next change
    for (const listener of listeners) if (this.#listeners.delete(listener)) listener()
  }
}
