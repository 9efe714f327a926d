import { Keyv } from 'keyv'

/** Drops the oldest entry for a new one when full: expired entries go only when they are read, so they need a bound. */
class BoundedMap<value> extends Map<string, value> {
  readonly #maxEntries: number
  constructor(maxEntries: number) {
    super()
    this.#maxEntries = maxEntries
  }

  override set(key: string, value: value): this {
    if (this.size >= this.#maxEntries && !this.has(key)) {
      for (const oldest of this.keys()) {
        this.delete(oldest)
        break
      }
    }
    return super.set(key, value)
  }
}

/** Expiring state of this process, by key. Values are kept as they are, so they must not be changed. */
export function memoryCache<value>(maxEntries: number): Keyv<value> {
  const cache = new Keyv<value>({ store: new BoundedMap<value>(maxEntries), serialization: false })
  // Otherwise a failing store reads as one that is empty.
  cache.throwOnEmitError = true
  return cache
}
