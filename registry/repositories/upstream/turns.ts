/** Lets some at a time do something; the others wait, in their order. */
export class Turns {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(atOnce: number) {
    this.#free = atOnce
  }

  /** Whether nobody would wait. */
  get isFree(): boolean {
    return this.#free > 0
  }

  /** Resolves when it is one's turn, with what ends it, however often that is called. */
  async take(): Promise<() => void> {
    if (this.#free > 0) {
      this.#free -= 1
    } else {
      const { promise, resolve } = Promise.withResolvers<undefined>()
      this.#waiting.push(() => resolve(undefined))
      await promise
    }
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free += 1
    }
  }

  /** Does it when it is its turn. */
  async during<result>(work: () => Promise<result>): Promise<result> {
    const end = await this.take()
    try {
      return await work()
    } finally {
      end()
    }
  }
}
