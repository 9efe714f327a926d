import type { AntPattern } from '../../domain/ant-pattern.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { ImageName, RepositoryKey } from '../../domain/names.ts'
import type { MayTake } from '../../storage/metadata-store.ts'

/** The tags of a repository that stay where they are, whoever asks. */
export class ImmutableTags {
  readonly #repository: RepositoryKey
  readonly #patterns: AntPattern

  constructor(repository: RepositoryKey, patterns: AntPattern) {
    this.#repository = repository
    this.#patterns = patterns
  }

  /** Makes the change with those of the image left out of what may be taken. Throws DENIED when it would take one of them. */
  async keep<result>(
    image: ImageName,
    mayTake: MayTake,
    change: (mayTake: MayTake) => Promise<result>,
  ): Promise<result> {
    const immutable = this.#patterns.tagsOf(image)
    // What the caller itself may not is said first: that is the nearer reason.
    const refused = new Set<string>()
    const mayTakeOthers = (tag: Parameters<MayTake>[0]) => {
      if (!mayTake(tag)) refused.add(tag)
      return mayTake(tag) && !immutable.has(tag)
    }
    return this.#explained(
      () => change(mayTakeOthers),
      (tag) => !refused.has(tag),
    )
  }

  /** The same for a change to every image of the repository. */
  async keepAll<result>(change: (mayTake: (image: ImageName) => MayTake) => Promise<result>): Promise<result> {
    const mayTake = (image: ImageName): MayTake => {
      const immutable = this.#patterns.tagsOf(image)
      return (tag) => !immutable.has(tag)
    }
    return this.#explained(
      () => change(mayTake),
      () => true,
    )
  }

  /** TAG_FIXED of an immutable tag becomes DENIED with that reason. */
  async #explained<result>(change: () => Promise<result>, isImmutable: (tag: string) => boolean): Promise<result> {
    try {
      return await change()
    } catch (cause) {
      if (!(cause instanceof RegistryError) || cause.code !== 'TAG_FIXED') throw cause
      const { tag } = cause.detail as { readonly tag: string }
      if (!isImmutable(tag)) throw cause
      const message = `the tag ${tag} is immutable: ${this.#repository} has it in its immutableTags`
      throw new RegistryError('DENIED', { message, detail: { tag }, cause })
    }
  }
}
