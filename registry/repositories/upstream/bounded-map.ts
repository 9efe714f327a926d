/** Keeps the newest entries, so that the names that clients make up do not fill the memory. */
export class BoundedMap<value> {
  readonly #entries = new Map<string, value>()
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  get(key: string): value | undefined {
    return this.#entries.get(key)
  }

  set(key: string, value: value): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > this.#max && oldest !== undefined) this.#entries.delete(oldest)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }
}
