import type { Logger } from 'pino'
import { RegistryError } from '../../domain/errors.ts'
import type { RepositoryKey } from '../../domain/names.ts'
import type { Use } from '../../storage/metadata-store.ts'
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
  #failure: { readonly error: unknown } | undefined
  #refusal: { readonly error: unknown } | undefined

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
      if (isRefusal(error)) this.#refusal ??= { error }
      else if (failsHard) throw error
      else {
        this.#failures.note(repository.key, error)
        this.#failure ??= { error }
      }
      return undefined
    }
  }

  /**
   * Nobody has it. Throws why the first that failed could not be asked: a missing answer is not an absence. Nor is one that is refused,
   * except to who would push it (`rely`).
   */
  absence(use: Use = 'read'): undefined {
    if (this.#failure) throw this.#failure.error
    if (this.#refusal && use === 'read') throw this.#refusal.error
  }
}

/** It is for others that the member would fetch what it has not got: that is no fault of its own. */
function isRefusal(error: unknown): boolean {
  return error instanceof RegistryError && error.code === 'DENIED'
}
