import type { Answer } from './answer.ts'

/** The answers that are not given yet, so that a stop can wait for the last of them. */
export class InFlight {
  readonly #answers = new Set<Answer>()
  #waiting: (() => void)[] = []

  begin(answer: Answer): void {
    this.#answers.add(answer)
  }

  end(answer: Answer): void {
    this.#answers.delete(answer)
    if (this.#answers.size > 0) return
    this.#waiting.forEach((resolve) => resolve())
    this.#waiting = []
  }

  /** Those that have not begun will say that their connection ends. */
  closeConnections(): void {
    this.#answers.forEach((answer) => (answer.shouldKeepAlive = false))
  }

  /** Resolves when there is none. */
  async none(): Promise<void> {
    if (this.#answers.size > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}
