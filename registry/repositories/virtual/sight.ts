import type { ImageName, RepositoryKey, Tag } from '../../domain/names.ts'
import type { Action } from '../../domain/permissions.ts'
import { everyTag, noTag, union, type TagSet } from '../../domain/tag-set.ts'
import type { Use } from '../../storage/metadata-store.ts'
import type { Reader, Repository } from '../repository.ts'
import type { Member } from './question.ts'

/** A member, and the tags of an image by which one comes to what it has there. */
export interface SeenMember extends Member {
  readonly tags: TagSet
}

interface Site {
  readonly key: RepositoryKey
  readonly members: readonly Member[]
  readonly deployTo: Repository | undefined
}

/** What a reader may see of the members. Without one, that is everything. */
export class Sight {
  /** As the reader sees them. */
  readonly members: readonly Member[]
  readonly #site: Site
  readonly #reader: Reader | undefined

  constructor(site: Site, reader: Reader | undefined) {
    this.#site = site
    this.#reader = reader
    const within = reader && readerThrough(site.key, reader)
    this.members = within
      ? site.members.map((member) => ({ ...member, repository: member.repository.seenBy(within) }))
      : site.members
  }

  async readable({ repository }: Member, image: ImageName): Promise<TagSet> {
    return this.#tagsOf('read', repository.key, image)
  }

  /** Those in which something of the image can be read. */
  async readableMembers(image: ImageName): Promise<readonly SeenMember[]> {
    return this.#membersWith((member) => this.readable(member, image))
  }

  /** Those to be asked for what has a digest. Who may read nothing, and push, sees what is where pushes go. */
  async membersFor(image: ImageName): Promise<readonly SeenMember[]> {
    const readable = await this.readableMembers(image)
    return readable.length > 0 ? readable : this.#membersWith((member) => this.#deployable(member, image))
  }

  /** Those to be asked for the tag. To rely on what is on it, one may also be who pushes there. */
  async membersForTag(image: ImageName, tag: Tag, use: Use | undefined): Promise<readonly Member[]> {
    const members = await this.#membersWith(async (member) => {
      const readable = await this.readable(member, image)
      return use === 'rely' ? union([readable, await this.#deployable(member, image)]) : readable
    })
    return members.filter(({ tags }) => tags.has(tag))
  }

  /** Whether the image can be pushed here, under the tag when there is one. */
  async mayPush(image: ImageName, tag: Tag | undefined): Promise<boolean> {
    const { deployTo } = this.#site
    const tags = deployTo ? await this.#tagsOf('deploy', deployTo.key, image) : noTag
    return tag === undefined ? tags.extent !== 'none' : tags.has(tag)
  }

  async #membersWith(tagsOf: (member: Member) => Promise<TagSet>): Promise<readonly SeenMember[]> {
    const seen = await Promise.all(this.members.map(async (member) => ({ ...member, tags: await tagsOf(member) })))
    return seen.filter(({ tags }) => tags.extent !== 'none')
  }

  async #deployable({ repository: { key } }: Member, image: ImageName): Promise<TagSet> {
    return key === this.#site.deployTo?.key ? this.#tagsOf('deploy', key, image) : noTag
  }

  async #tagsOf(action: Action, repository: RepositoryKey, image: ImageName): Promise<TagSet> {
    return this.#reader ? this.#reader.tagsOf(action, { repository, image }, [this.#site.key]) : everyTag
  }
}

function readerThrough(key: RepositoryKey, reader: Reader): Reader {
  const { namespace } = reader
  return {
    namespace,
    tagsOf: (action, of, through) => reader.tagsOf(action, of, [key, ...through]),
    mayFetch: (of, through) => reader.mayFetch(of, [key, ...through]),
  }
}
