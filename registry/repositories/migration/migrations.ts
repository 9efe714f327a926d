import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import type { Digest } from '../../domain/digest.ts'
import { RegistryError } from '../../domain/errors.ts'
import { parseImageName, type ImageName, type ImageRef, type RepositoryKey, type Tag } from '../../domain/names.ts'
import type { TagSet } from '../../domain/tag-set.ts'
import type { Images } from '../../storage/metadata-store.ts'
import type { V1Images } from '../../storage/v1-images.ts'
import type { PushTarget, Repository } from '../repository.ts'
import { migrateTag, type Format, type MigrationStorage } from './migrate-tag.ts'
import { v1Tags, type V1Tag, type Wanted } from './v1-tags.ts'

/** Those that have ended are told of until so many newer ones have. */
const maxEnded = 50

/** What somebody wants to have in a V2 repository. */
export interface Wish extends Wanted {
  readonly source: RepositoryKey
  readonly target: { readonly repository: Repository; readonly pushTarget: PushTarget }
  readonly format: Format
  /** `drop`: `library/ubuntu` becomes `ubuntu`, as clients of the V2 API say it. */
  readonly library: 'keep' | 'drop'
}

/** Who wants it, and may do so much of it: what may be put where is asked for each tag when its turn comes. */
export interface Migrator {
  readonly name: string
  readable(of: ImageRef): Promise<TagSet>
  deployable(of: ImageRef): Promise<TagSet>
  /** Tags that may be taken from what they are on. */
  movable(of: ImageRef): Promise<TagSet>
  /** The tag has been put on the manifest. */
  told(of: ImageRef, tag: Tag, digest: Digest): void
}

/** What has become of one tag. */
export type TagReport = { readonly image: ImageName; readonly tag: Tag } & (
  | { readonly outcome: 'migrated' | 'there already'; readonly digest: Digest }
  | { readonly outcome: 'failed'; readonly reason: string }
)

/** One that runs, or has ended: `broken off` with the registry, and to be begun again. */
export interface Migration {
  readonly id: string
  readonly source: RepositoryKey
  readonly target: RepositoryKey
  readonly image: ImageName | undefined
  readonly tag: Tag | undefined
  readonly format: Format
  readonly by: string
  readonly startedAt: Date
  readonly endedAt: Date | undefined
  readonly state: 'running' | 'done' | 'broken off'
  /** How many tags there are to migrate; undefined until they have been counted. */
  readonly total: number | undefined
  /** In the order in which they were done. */
  readonly tags: readonly TagReport[]
}

type Running = { -readonly [field in Exclude<keyof Migration, 'tags'>]: Migration[field] } & {
  readonly tags: TagReport[]
}

interface Storage extends MigrationStorage {
  readonly metadata: MigrationStorage['metadata'] & Pick<Images, 'listImages'> & Pick<V1Images, 'listV1Tags'>
}

/**
 * Migrations from V1 repositories to V2 repositories. Each goes on by itself, whoever began it is still there or not; what it has done is
 * known by the tags that are there, so that one which was broken off is begun again.
 */
export class Migrations {
  readonly #storage: Storage
  readonly #log: Logger
  readonly #known = new Map<string, Migration>()
  readonly #work = new Set<Promise<void>>()
  readonly #stop = new AbortController()

  constructor(storage: Storage, log: Logger) {
    this.#storage = storage
    this.#log = log
  }

  /** Throws CONFLICT while one from the same repository to the same one runs. */
  begin(wish: Wish, by: Migrator): { readonly migration: Migration; readonly ended: Promise<void> } {
    this.#refuseSecond(wish)
    const running: Running = {
      id: randomUUID(),
      source: wish.source,
      target: wish.target.repository.key,
      image: wish.image,
      tag: wish.tag,
      format: wish.format,
      by: by.name,
      startedAt: this.#storage.now(),
      endedAt: undefined,
      state: 'running',
      total: undefined,
      tags: [],
    }
    this.#known.set(running.id, running)
    const ended = this.#run(running, wish, by)
    this.#work.add(ended)
    void ended.finally(() => this.#work.delete(ended))
    return { migration: running, ended }
  }

  /** Whether there is anything to migrate among these tags. */
  async hasTag({ source, ...wanted }: Wanted & Pick<Wish, 'source'>, among: TagSet): Promise<boolean> {
    for await (const { tag } of v1Tags(this.#storage.metadata, source, wanted)) if (among.has(tag)) return true
    return false
  }

  find(id: string): Migration | undefined {
    return this.#known.get(id)
  }

  /** Of the source, those that run and some that have ended, the newest first. */
  list(source: RepositoryKey): readonly Migration[] {
    return [...this.#known.values()].filter((migration) => migration.source === source).toReversed()
  }

  /** Breaks off all that run, between two tags of each. */
  async close(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#work)
  }

  /** Never rejects. */
  async #run(running: Running, wish: Wish, by: Migrator): Promise<void> {
    try {
      const tags: V1Tag[] = []
      for await (const one of v1Tags(this.#storage.metadata, wish.source, wish))
        if ((await by.readable(one.of)).has(one.tag)) tags.push(one)
      running.total = tags.length
      for (const one of tags) {
        if (this.#stop.signal.aborted) break
        running.tags.push(await this.#report(one, wish, by))
      }
      running.state = running.tags.length === tags.length ? 'done' : 'broken off'
    } catch (error) {
      running.state = 'broken off'
      this.#log.error({ err: error, migration: running.id }, 'migration broken off')
    }
    running.endedAt = this.#storage.now()
    const { id, source, target, state, tags } = running
    const failed = tags.filter(({ outcome }) => outcome === 'failed').length
    this.#log.info({ migration: id, source, target, state, tags: tags.length, failed, by: by.name }, 'migration ended')
    this.#forgetOld()
  }

  async #report(one: V1Tag, wish: Wish, by: Migrator): Promise<TagReport> {
    const { tag } = one
    const { image } = one.of
    try {
      const { digest, wasThere } = await this.#migrate(one, wish, by)
      return { image, tag, outcome: wasThere ? 'there already' : 'migrated', digest }
    } catch (error) {
      if (error instanceof RegistryError) return { image, tag, outcome: 'failed', reason: error.message }
      this.#log.error({ err: error, source: wish.source, image, tag }, 'a tag could not be migrated')
      return { image, tag, outcome: 'failed', reason: 'internal error: the log of the registry says more' }
    }
  }

  async #migrate(one: V1Tag, { target, format, library }: Wish, by: Migrator) {
    const image = library === 'drop' ? withoutLibrary(one.of.image) : one.of.image
    const to = { repository: target.repository.key, image }
    if (!(await by.deployable(to)).has(one.tag))
      throw new RegistryError('DENIED', {
        message: `${by.name} may not deploy ${to.image}:${one.tag} in ${to.repository}`,
      })
    const movable = await by.movable(to)
    const migrated = await migrateTag(this.#storage, one, {
      image,
      repository: target.repository,
      target: target.pushTarget,
      format,
      principal: by.name,
      mayTake: (tag) => movable.has(tag),
    })
    if (!migrated.wasThere) by.told(to, one.tag, migrated.digest)
    return migrated
  }

  /** Two at once would do everything twice. */
  #refuseSecond({ source, target }: Wish): void {
    const other = this.list(source).find((one) => one.state === 'running' && one.target === target.repository.key)
    if (!other) return
    throw new RegistryError('CONFLICT', {
      message: `a migration from ${source} to ${other.target} runs already: wait for its end`,
      detail: { id: other.id },
    })
  }

  #forgetOld(): void {
    const ended = [...this.#known.values()].filter(({ state }) => state !== 'running')
    for (const { id } of ended.slice(0, -maxEnded)) this.#known.delete(id)
  }
}

function withoutLibrary(image: ImageName): ImageName {
  return parseImageName(image.replace(/^library\/(?=[^/]+$)/, ''))
}
