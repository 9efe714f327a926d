/** Work that is done once for all who ask for it while it is done. */
export class Flights<result> {
  readonly #running = new Map<string, Promise<result>>()

  /** Rejects for all of them when the work does. */
  async join(key: string, work: () => Promise<result>): Promise<result> {
    const running = this.#running.get(key)
    if (running) return await running
    const started = work()
    this.#running.set(key, started)
    try {
      return await started
    } finally {
      this.#running.delete(key)
    }
  }
}
