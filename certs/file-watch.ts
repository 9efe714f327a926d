import { watch, type FSWatcher } from 'node:fs'

export interface FileWatchTimes {
  /** How long it must have been quiet after an event. */
  readonly debounceMs: number
  /** How often to look anyway: network file systems and some mounts report no events. */
  readonly pollMs: number
}

/**
 * Says that something in a few directories may have changed: after events there, and from time to time without any. One
 * call at a time, each awaited before the next. Keeps no process alive.
 */
export class FileWatch implements AsyncDisposable {
  readonly #look: () => Promise<void>
  readonly #times: FileWatchTimes
  readonly #poll: NodeJS.Timeout
  #watchers: readonly FSWatcher[] = []
  #quiet: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()
  #waiting = false
  #closed = false

  /** `look` must not reject. */
  constructor(look: () => Promise<void>, times: FileWatchTimes) {
    this.#look = look
    this.#times = times
    this.#poll = setInterval(() => this.#lookSoon(), times.pollMs).unref()
  }

  /** Watches these directories from now on; anew too, for a path may meanwhile be another directory. */
  watch(directories: readonly string[]): void {
    if (this.#closed) return
    const former = this.#watchers
    this.#watchers = directories.map((directory) => this.#open(directory)).filter((watcher) => watcher !== undefined)
    for (const watcher of former) watcher.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    clearInterval(this.#poll)
    clearTimeout(this.#quiet)
    for (const watcher of this.#watchers) watcher.close()
    await this.#looking
  }

  /** Undefined for a directory that cannot be watched, which the poll looks after. */
  #open(directory: string): FSWatcher | undefined {
    try {
      const watcher = watch(directory, { persistent: false }, () => this.#onEvent())
      watcher.on('error', () => watcher.close())
      return watcher
    } catch {
      return undefined
    }
  }

  #onEvent(): void {
    if (this.#closed) return
    clearTimeout(this.#quiet)
    this.#quiet = setTimeout(() => this.#lookSoon(), this.#times.debounceMs).unref()
  }

  #lookSoon(): void {
    if (this.#waiting || this.#closed) return
    this.#waiting = true
    this.#looking = this.#looking.then(async () => {
      this.#waiting = false
      if (!this.#closed) await this.#look()
    })
  }
}
