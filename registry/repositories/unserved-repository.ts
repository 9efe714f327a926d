import { RegistryError } from '../domain/errors.ts'
import type { RepositoryKey } from '../domain/names.ts'
import type { PushTarget, Removal, Repository } from './repository.ts'

/** A repository that is configured, and of a type that this version cannot serve: it says so to whoever uses it. */
export class UnservedRepository implements Repository {
  readonly key: RepositoryKey
  readonly kind: Repository['kind']
  readonly #type: string

  /** `type` as the configuration calls it. */
  constructor(key: RepositoryKey, kind: Repository['kind'], type: string) {
    this.key = key
    this.kind = kind
    this.#type = type
  }

  get pushTarget(): PushTarget {
    throw this.#refusal()
  }

  get removal(): Removal {
    throw this.#refusal()
  }

  seenBy(): Repository {
    return this
  }

  async manifest(): Promise<never> {
    throw this.#refusal()
  }

  async blob(): Promise<never> {
    throw this.#refusal()
  }

  async tagTime(): Promise<never> {
    throw this.#refusal()
  }

  async tags(): Promise<never> {
    throw this.#refusal()
  }

  async images(): Promise<never> {
    throw this.#refusal()
  }

  async tagsHolding(): Promise<never> {
    throw this.#refusal()
  }

  async referrers(): Promise<never> {
    throw this.#refusal()
  }

  async holders(): Promise<never> {
    throw this.#refusal()
  }

  #refusal(): RegistryError {
    return new RegistryError('UNSUPPORTED', {
      message: `${this.key} is a ${this.#type} repository, which this version does not serve`,
      detail: { repository: this.key, type: this.#type },
    })
  }
}
