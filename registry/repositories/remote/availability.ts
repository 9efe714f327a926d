import type { Arrival } from './arrival.ts'

/** See `Growth.available`. Not a generator: whoever stops listening need not wait for the next bytes to be rid of it. */
export class Availability implements AsyncIterableIterator<number> {
  readonly #arrival: Arrival
  #told: number | undefined
  #stop: (() => void) | undefined

  constructor(arrival: Arrival) {
    this.#arrival = arrival
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<number, undefined>> {
    const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<number, undefined>>()
    const look = (): void => {
      const { end, available, isVerified, size } = this.#arrival
      if (isVerified && this.#told === size) resolve({ done: true, value: undefined })
      else if (end?.kind === 'failed') reject(end.error)
      else if (available > (this.#told ?? 0) || (isVerified && this.#told === undefined))
        resolve({ done: false, value: (this.#told = available) })
      else if (end) resolve({ done: true, value: undefined })
      else {
        const takeBack = this.#arrival.onChange(look)
        this.#stop = () => {
          takeBack()
          resolve({ done: true, value: undefined })
        }
      }
    }
    look()
    return promise
  }

  async return(): Promise<IteratorResult<number, undefined>> {
    this.#stop?.()
    return { done: true, value: undefined }
  }
}
