interface Remembered {
  readonly items: readonly unknown[]
  readonly size: number
  readonly until: number
}

/** What an item takes besides its text. */
const itemBytes = 32

/**
 * Lists by name, each for a while. The oldest go when all together are larger than that, in characters of their items: one may have
 * two hundred thousand names, or referrers with annotations of megabytes, and whoever asks chooses of how many images.
 */
export class RememberedLists {
  readonly #lists = new Map<string, Remembered>()
  readonly #maxSize: number
  readonly #now: () => number
  #size = 0

  constructor(maxSize: number, now: () => number = Date.now) {
    this.#maxSize = maxSize
    this.#now = now
  }

  get(name: string): readonly unknown[] | undefined {
    const list = this.#lists.get(name)
    if (list && this.#now() < list.until) return list.items
    this.#forget(name)
    return undefined
  }

  /** The newest is remembered however large it is. */
  set(name: string, items: readonly unknown[], ms: number): void {
    this.#forget(name)
    const size = items.reduce<number>((sum, item) => sum + sizeOf(item), itemBytes)
    for (const oldest of this.#lists.keys()) {
      if (this.#size + size <= this.#maxSize) break
      this.#forget(oldest)
    }
    this.#lists.set(name, { items, size, until: this.#now() + ms })
    this.#size += size
  }

  #forget(name: string): void {
    this.#size -= this.#lists.get(name)?.size ?? 0
    this.#lists.delete(name)
  }
}

function sizeOf(item: unknown): number {
  return itemBytes + (typeof item === 'string' ? item.length : (JSON.stringify(item)?.length ?? 0))
}
