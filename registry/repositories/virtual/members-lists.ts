import type { Digest } from '../../domain/digest.ts'
import type { ImageName, Tag } from '../../domain/names.ts'
import type { Page, ReferrerQuery } from '../../storage/metadata-store.ts'
import { isKnown, isReachable } from '../reachable.ts'
import type { Lookup, ReferrerPage, Repository } from '../repository.ts'
import { itemsAfter, mergeLists, takePage } from './merged-pages.ts'
import { Question, type FailureLog, type Member } from './question.ts'
import type { SeenMember, Sight } from './sight.ts'

const namesAtOnce = 1000

interface ListRequest {
  readonly after: string | undefined
  readonly limit: number
  readonly from: Lookup['from']
}

/** The lists of all members as one, each of what may be seen there. */
export class MembersLists {
  readonly #sight: Sight
  readonly #failures: FailureLog

  constructor(sight: Sight, failures: FailureLog) {
    this.#sight = sight
    this.#failures = failures
  }

  /** Undefined when no member has the image. */
  async tags(image: ImageName, { after, limit, from }: ListRequest): Promise<Page<Tag> | undefined> {
    const question = new Question(this.#failures)
    const members = await this.#sight.readableMembers(image)
    let isThere = false
    const tagsAfter = (after: string | undefined, limit: number) =>
      pageOfNames(
        members.map((member) => tagsIn(member, image, { after, limit, from }, question, () => (isThere = true))),
        limit,
      )
    const page = await tagsAfter(after, limit)
    if (page.items.length > 0 || isThere) return page
    // A last page may be empty, of an image that has others; who may read some tags alone knows of it by these.
    if ((await tagsAfter(undefined, 1)).items.length > 0) return page
    return question.absence()
  }

  async images(after: string | undefined, limit: number): Promise<Page<ImageName>> {
    const question = new Question(this.#failures)
    const lists = this.#sight.members.map((member) => this.#imagesIn(member, after, limit, question))
    return pageOfNames(lists, limit)
  }

  async referrers(image: ImageName, query: ReferrerQuery): Promise<ReferrerPage> {
    const question = new Question(this.#failures)
    const { subject, after, limit } = query
    const lists = (await this.#sight.readableMembers(image)).map((seen) =>
      itemsAfter(
        (after) =>
          question.ask(seen, async (member) => {
            if (!(await isReachable(member, { image }, subject, seen.tags))) return undefined
            return member.referrers(image, { ...query, after: after as Digest | undefined, limit: limit + 1 })
          }),
        after,
      ),
    )
    const { items, last } = await takePage(
      mergeLists(lists, ({ digest }) => digest),
      limit,
    )
    return { items, next: last?.digest }
  }

  #imagesIn(member: Member, after: string | undefined, limit: number, question: Question) {
    const readable = async (repository: Repository, image: ImageName) =>
      isKnown(repository, image, await this.#sight.readable(member, image))
    return itemsAfter(
      (after) =>
        question.ask(member, async (repository) => {
          const { items, next } = await repository.images(after, Math.min(limit + 1, namesAtOnce))
          const known: ImageName[] = []
          for (const image of items) if (await readable(repository, image)) known.push(image)
          return { items: known, next }
        }),
      after,
    )
  }
}

/** `found` is called when the member has the image, and all of that may be known. */
function tagsIn(
  seen: SeenMember,
  image: ImageName,
  { after, limit, from }: ListRequest,
  question: Question,
  found: () => void,
): AsyncGenerator<Tag, undefined> {
  const atOnce = seen.tags.extent === 'all' ? Math.min(limit + 1, namesAtOnce) : namesAtOnce
  return itemsAfter(
    (after) =>
      question.ask(seen, async (member) => {
        const page = await member.tags(image, after, atOnce, from)
        if (page && seen.tags.extent === 'all') found()
        return page && { items: page.items.filter((tag) => seen.tags.has(tag)), next: page.next }
      }),
    after,
  )
}

async function pageOfNames<name extends string>(
  lists: readonly AsyncGenerator<name, undefined>[],
  limit: number,
): Promise<Page<name>> {
  const { items, last } = await takePage(
    mergeLists(lists, (name) => name),
    limit,
  )
  return { items, next: last }
}
