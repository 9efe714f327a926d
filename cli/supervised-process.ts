import { once } from 'node:events'
import type { ChildProcess } from 'node:child_process'
import type { Logger } from 'pino'
import type { Order, Readiness, Report } from './messages.ts'

export interface ProcessPlan {
  readonly name: string
  /** A fresh process of the program, with an IPC channel. */
  fork(): ChildProcess
  /** Its order; asked for at each start. */
  order(): Order
  readonly log: Logger
}

/** A crashed process starts again after 0.2 s, then twice as long each time up to 10 s; a minute of health forgets it. */
const firstPauseMs = 200
const longestPauseMs = 10_000
const healthyMs = 60_000

/** A process that is kept running until `stop`. */
export class SupervisedProcess {
  readonly #plan: ProcessPlan
  #child: ChildProcess | undefined
  #stopping = false
  #pauseMs = firstPauseMs
  #restart: NodeJS.Timeout | undefined
  #exited: Promise<unknown> = Promise.resolve()

  constructor(plan: ProcessPlan) {
    this.#plan = plan
  }

  /** Rejects when the process cannot start; once it has run, it is started again whenever it ends. */
  async start(): Promise<Readiness> {
    try {
      return await this.#spawn()
    } catch (error) {
      this.#stopping = true
      throw error
    }
  }

  async #spawn(): Promise<Readiness> {
    const child = this.#plan.fork()
    this.#child = child
    const startedAt = Date.now()
    this.#exited = once(child, 'exit')
    const ready = this.#introduce(child)
    child.once('exit', () => this.#onExit(Date.now() - startedAt))
    return await ready
  }

  send(order: Order): void {
    const child = this.#child
    if (child?.connected) child.send(order)
  }

  /** Lets it finish, for so long at most; resolves when it has ended. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#restart)
    this.send({ stop: true })
    const deadline = setTimeout(() => this.kill(), deadlineMs)
    await this.#exited
    clearTimeout(deadline)
  }

  kill(): void {
    this.#stopping = true
    this.#child?.kill('SIGKILL')
  }

  /** Gives the order when the process is awake and resolves when it is ready. */
  #introduce(child: ChildProcess): Promise<Readiness> {
    const { promise, resolve, reject } = Promise.withResolvers<Readiness>()
    child.on('message', (report: Report) => {
      if ('awake' in report) this.send(this.#plan.order())
      else if ('ready' in report) resolve(report.ready)
      else {
        this.#plan.log.error({ process: this.#plan.name }, report.failed)
        reject(new Error(report.failed))
        child.kill('SIGKILL')
      }
    })
    child.once('exit', () => reject(new Error(`the ${this.#plan.name} ended before it was ready`)))
    return promise
  }

  #onExit(livedMs: number): void {
    this.#child = undefined
    if (this.#stopping) return
    if (livedMs > healthyMs) this.#pauseMs = firstPauseMs
    this.#plan.log.error({ process: this.#plan.name, pauseMs: this.#pauseMs }, 'process ended; it starts again')
    this.#restart = setTimeout(() => {
      this.#spawn().then(
        () => this.#plan.log.info({ process: this.#plan.name }, 'process runs again'),
        () => {}, // #onExit has logged it and tries again
      )
    }, this.#pauseMs)
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs)
  }
}
