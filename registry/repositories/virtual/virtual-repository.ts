import type { Digest } from '../../domain/digest.ts'
import type { ImageName, Reference, RepositoryKey, Tag } from '../../domain/names.ts'
import type { ImageRef, Page, ReferrerQuery } from '../../storage/metadata-store.ts'
import { isReachable } from '../reachable.ts'
import type {
  BlobHandle,
  FoundManifest,
  Lookup,
  PushTarget,
  Reader,
  ReferrerPage,
  Removal,
  Repository,
} from '../repository.ts'
import { MembersLists } from './members-lists.ts'
import { Question, type FailureLog, type Member } from './question.ts'
import { Sight, type SeenMember } from './sight.ts'
import { VirtualPushTarget } from './virtual-push-target.ts'

export interface VirtualSettings {
  readonly key: RepositoryKey
  /** In the order in which they are asked. */
  readonly members: readonly Member[]
  /** The member that is changed when this one is asked to be. */
  readonly deployTo: Repository | undefined
  readonly resolveTagsBy: 'order' | 'newest'
}

interface Search extends Lookup {
  readonly question: Question
  /** Whom to ask when nobody has it here: all members, or those where a manifest that is here leads to it. */
  readonly elsewhere: 'everywhere' | 'where it is named'
}

/**
 * Several repositories behind one key. What somebody may see here is what they may read in the members, each by itself; without a reader
 * it is everything.
 */
export class VirtualRepository implements Repository {
  readonly key: RepositoryKey
  readonly kind = 'virtual'
  readonly deployTo: Repository | undefined
  readonly #settings: VirtualSettings
  readonly #failures: FailureLog
  readonly #sight: Sight
  readonly #lists: MembersLists

  constructor(settings: VirtualSettings, failures: FailureLog, reader?: Reader) {
    this.key = settings.key
    this.deployTo = settings.deployTo
    this.#settings = settings
    this.#failures = failures
    this.#sight = new Sight(settings, reader)
    this.#lists = new MembersLists(this.#sight, failures)
  }

  get pushTarget(): PushTarget | undefined {
    const target = this.deployTo?.pushTarget
    return this.deployTo && target && new VirtualPushTarget(target, this.deployTo, this)
  }

  get removal(): Removal | undefined {
    return this.deployTo?.removal
  }

  seenBy(reader: Reader): Repository {
    return new VirtualRepository(this.#settings, this.#failures, reader)
  }

  async manifest(image: ImageName, reference: Reference, lookup: Lookup = {}): Promise<FoundManifest | undefined> {
    if ('tag' in reference) return this.#tagged(image, reference.tag, lookup)
    const question = this.#question()
    const search = { ...lookup, question, elsewhere: 'everywhere' } as const
    const found = await this.#find(image, reference.digest, search, (member, lookup) =>
      member.manifest(image, reference, lookup),
    )
    return found ?? question.absence(lookup.use)
  }

  async blob(image: ImageName, digest: Digest, lookup: Lookup = {}): Promise<BlobHandle | undefined> {
    const question = this.#question()
    // Who pushes asks whether each new layer is there, and no upstream is to learn of these.
    const elsewhere = lookup.use === 'rely' ? 'where it is named' : 'everywhere'
    const search = { ...lookup, question, elsewhere } as const
    const found = await this.#find(image, digest, search, (member, lookup) => member.blob(image, digest, lookup))
    // Nobody can say: then it is sent.
    return found ?? (lookup.use === 'rely' ? undefined : question.absence())
  }

  async tagTime(image: ImageName, tag: Tag): Promise<Date | undefined> {
    const question = this.#question()
    const times: Date[] = []
    for (const member of await this.#sight.membersForTag(image, tag, 'read')) {
      const time = await question.ask(member, (member) => member.tagTime(image, tag))
      if (time && this.#settings.resolveTagsBy === 'order') return time
      if (time) times.push(time)
    }
    return times.length > 0 ? times.reduce((one, other) => (other > one ? other : one)) : question.absence()
  }

  async tags(
    image: ImageName,
    after: string | undefined,
    limit: number,
    from?: Lookup['from'],
  ): Promise<Page<Tag> | undefined> {
    return this.#lists.tags(image, { after, limit, from })
  }

  async images(after: string | undefined, limit: number): Promise<Page<ImageName>> {
    return this.#lists.images(after, limit)
  }

  async referrers(image: ImageName, query: ReferrerQuery): Promise<ReferrerPage> {
    return this.#lists.referrers(image, query)
  }

  /** Of each member, by the tags that may be seen there. */
  async tagsHolding(image: ImageName, digest: Digest): Promise<readonly Tag[]> {
    const found = await this.#ofEach(await this.#sight.membersFor(image), async (member, { tags }) =>
      (await member.tagsHolding(image, digest)).filter((tag) => tags.has(tag)),
    )
    return [...new Set(found.flat())]
  }

  async holders(image: ImageName, digest: Digest): Promise<readonly ImageRef[]> {
    const found = await this.#ofEach(await this.#sight.readableMembers(image), async (member, { tags }) =>
      (await isReachable(member, { image }, digest, tags)) ? member.holders(image, digest) : [],
    )
    return found.flat()
  }

  async #tagged(image: ImageName, tag: Tag, lookup: Lookup): Promise<FoundManifest | undefined> {
    const question = this.#question()
    const members = await this.#sight.membersForTag(image, tag, lookup.use)
    if (this.#settings.resolveTagsBy === 'newest') return this.#newest(members, image, tag, lookup, question)
    for (const member of members) {
      const found = await question.ask(member, (member) => member.manifest(image, { tag }, lookup))
      if (found) return found
    }
    return question.absence(lookup.use)
  }

  /** A remote one knows when a tag has moved after it has been asked for what is on it. */
  async #newest(
    members: readonly Member[],
    image: ImageName,
    tag: Tag,
    lookup: Lookup,
    question: Question,
  ): Promise<FoundManifest | undefined> {
    const found = await Promise.all(
      members.map((member) =>
        question.ask(member, async (member) => {
          const manifest = await member.manifest(image, { tag }, lookup)
          return manifest && { manifest, movedAt: (await member.tagTime(image, tag))?.getTime() ?? -Infinity }
        }),
      ),
    )
    const [first, ...others] = found.filter((one) => one !== undefined)
    if (!first) return question.absence(lookup.use)
    return others.reduce((one, other) => (other.movedAt > one.movedAt ? other : one), first).manifest
  }

  /** What all of them have here is looked through before any asks elsewhere. */
  async #find<found>(
    image: ImageName,
    digest: Digest,
    { question, elsewhere, ...lookup }: Search,
    find: (member: Repository, lookup: Lookup) => Promise<found | undefined>,
  ): Promise<found | undefined> {
    const members = await this.#sight.membersFor(image)
    const ask = async (seen: SeenMember, from: Lookup['from']) =>
      question.ask(seen, async (member) =>
        (await isReachable(member, { image }, digest, seen.tags)) ? find(member, { ...lookup, from }) : undefined,
      )
    for (const seen of members) {
      const found = await ask(seen, 'here')
      if (found !== undefined) return found
    }
    if (lookup.from === 'here') return undefined
    const likely = await this.#likely(members, image, digest)
    const others = elsewhere === 'where it is named' ? [] : members.filter((seen) => !likely.includes(seen))
    for (const seen of [...likely, ...others]) {
      const found = seen.repository.kind === 'local' ? undefined : await ask(seen, 'anywhere')
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Where a manifest that is here leads to it; so that not every upstream is asked for each blob of an image that another one has. */
  async #likely(members: readonly SeenMember[], image: ImageName, digest: Digest): Promise<readonly SeenMember[]> {
    const held = await this.#ofEach(members, (member) => member.tagsHolding(image, digest))
    return members.filter((_, index) => (held[index]?.length ?? 0) > 0)
  }

  /** Those that fail are left out. */
  async #ofEach<item>(
    members: readonly SeenMember[],
    itemsOf: (member: Repository, seen: SeenMember) => Promise<readonly item[]>,
  ): Promise<readonly (readonly item[])[]> {
    const question = this.#question()
    const found = members.map((seen) => question.ask(seen, (member) => itemsOf(member, seen)))
    return (await Promise.all(found)).map((items) => items ?? [])
  }

  #question(): Question {
    return new Question(this.#failures)
  }
}
