import type { RotatingFile } from './rotating-file.ts'
import type { Trouble } from './trouble.ts'

/** Some 30,000 events: what is kept in memory while the disk takes nothing. */
const maxWaitingBytes = 8 * 1024 * 1024
/** Written at once. A file becomes so much larger than its size for rotation at most. */
const batchBytes = 256 * 1024
/** Within which all is on the disk, and after which what failed is tried again. */
const syncMs = 1000

/** Writes lines in the background, in their order. Takes ownership of the file. */
export class BackgroundLines implements AsyncDisposable {
  readonly #file: RotatingFile
  readonly #trouble: Trouble
  #waiting: Buffer[] = []
  #waitingBytes = 0
  /** The end of all that has been begun. Never rejects. */
  #work = Promise.resolve()
  #state: 'idle' | 'writing' | 'failed' = 'idle'
  #unsynced = false
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(file: RotatingFile, trouble: Trouble) {
    this.#file = file
    this.#trouble = trouble
  }

  /** Returns at once. What finds no room is counted as lost. */
  add(line: string): void {
    const bytes = Buffer.from(`${line}\n`)
    this.#syncSoon()
    if (this.#closed || this.#waitingBytes + bytes.length > maxWaitingBytes) return this.#trouble.lose(1)
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (this.#state !== 'idle') return
    this.#state = 'writing'
    this.#do(() => this.#write())
  }

  /** Resolves when what was added before is in the file, or could not be written. */
  async flush(): Promise<void> {
    this.#do(() => this.#write())
    await this.#work
  }

  /** What cannot be written now is lost. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return this.#work
    this.#closed = true
    clearTimeout(this.#timer)
    this.#do(() => this.#write())
    this.#do(() => this.#sync())
    this.#do(async () => this.#file[Symbol.asyncDispose]())
    await this.#work
    this.#trouble.lose(this.#waiting.length)
    this.#waiting = []
    this.#trouble.tellTheRest()
  }

  #do(step: () => Promise<void>): void {
    this.#work = this.#work.then(async () => this.#tellOf(step))
  }

  async #tellOf(step: () => Promise<void>): Promise<void> {
    try {
      await step()
    } catch (error) {
      this.#trouble.tell(error, this.#waiting.length)
    }
  }

  async #write(): Promise<void> {
    this.#state = 'failed' // unless it comes to its end; what is added meanwhile is seen by the loop
    while (this.#waiting.length > 0) {
      await this.#writeBatch()
      await this.#tellOf(async () => this.#file.rotateIfDue())
    }
    this.#state = 'idle'
  }

  async #writeBatch(): Promise<void> {
    const { lines, bytes } = this.#batch()
    await this.#file.append(Buffer.concat(lines, bytes))
    this.#unsynced = true
    this.#waiting = this.#waiting.slice(lines.length)
    this.#waitingBytes -= bytes
  }

  #batch(): { readonly lines: readonly Buffer[]; readonly bytes: number } {
    const lines: Buffer[] = []
    let bytes = 0
    for (const line of this.#waiting) {
      if (bytes > 0 && bytes + line.length > batchBytes) break
      lines.push(line)
      bytes += line.length
    }
    return { lines, bytes }
  }

  #syncSoon(): void {
    if (this.#closed) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#do(() => this.#write())
      this.#do(() => this.#sync())
      this.#do(async () => {
        this.#trouble.tellLosses()
        if (this.#state === 'failed' || this.#unsynced || this.#trouble.untold) this.#syncSoon()
      })
    }, syncMs).unref()
  }

  async #sync(): Promise<void> {
    if (!this.#unsynced) return
    await this.#file.sync()
    this.#unsynced = false
  }
}
