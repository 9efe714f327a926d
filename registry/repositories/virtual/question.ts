import type { Logger } from 'pino'
import type { RepositoryKey } from '../../domain/names.ts'
import type { Repository } from '../repository.ts'

/** One of the repositories that a virtual one is put together from. */
export interface Member {
  readonly repository: Repository
  /**
   * Whether nobody is asked in its place when it fails. Of a local one that is so: else the image of a stranger could come for that of
   * one's own.
   */
  readonly failsHard: boolean
}

const quietMs = 60_000

/** Says which members fail, now and then. */
export class FailureLog {
  readonly #repository: RepositoryKey
  readonly #log: Pick<Logger, 'warn'>
  readonly #now: () => number
  readonly #loggedAt = new Map<RepositoryKey, number>()

  constructor(repository: RepositoryKey, log: Pick<Logger, 'warn'>, now = Date.now) {
    this.#repository = repository
    this.#log = log
    this.#now = now
  }

  note(member: RepositoryKey, err: unknown): void {
    const now = this.#now()
    if (now - (this.#loggedAt.get(member) ?? -Infinity) < quietMs) return
    this.#loggedAt.set(member, now)
    this.#log.warn({ repository: this.#repository, member, err }, 'a member cannot answer; the others are asked')
  }
}

/** Something that one member after the other is asked. */
export class Question {
  readonly #failures: FailureLog
  #first: { readonly error: unknown } | undefined

  constructor(failures: FailureLog) {
    this.#failures = failures
  }

  /** Undefined also when it fails, unless that is for all of them. */
  async ask<answer>(
    { repository, failsHard }: Member,
    question: (repository: Repository) => Promise<answer | undefined>,
  ): Promise<answer | undefined> {
    try {
      return await question(repository)
    } catch (error) {
      if (failsHard) throw error
      this.#failures.note(repository.key, error)
      this.#first ??= { error }
      return undefined
    }
  }

  /** Nobody has it. Throws why the first that failed could not be asked: a missing answer is not an absence. */
  absence(): undefined {
    if (this.#first) throw this.#first.error
  }
}
