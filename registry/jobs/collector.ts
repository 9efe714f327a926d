import type { Digest } from '../domain/digest.ts'
import type { RepositoryKey } from '../domain/names.ts'
import type { UnheldBlob, UnheldLink, UnheldManifest } from '../storage/garbage.ts'
import type { Storage } from './upload-recovery.ts'

/** Reviews in one transaction: pushes wait for no more than this takes, a few milliseconds. */
const batch = 50
/** A reader may just have been told which file has the bytes. */
const readersMs = 60_000

export interface CollectionRules {
  /** How long what nothing holds is kept, and what somebody was told to be there can be relied on. */
  readonly graceMs: number
  /** How long a manifest without tag is kept that nothing else holds; Infinity: for ever. Never less than the time of grace. */
  readonly keepUntaggedMs: ReadonlyMap<RepositoryKey, number>
}

/** What a round does, told batch by batch as soon as it is done: there may be millions. */
export type Collected =
  | { readonly kind: 'manifest'; readonly removed: readonly UnheldManifest[] }
  /** Blobs taken from images. */
  | { readonly kind: 'link'; readonly removed: readonly UnheldLink[] }
  /** Deleted from the blob store. */
  | { readonly kind: 'blob'; readonly removed: readonly UnheldBlob[] }
  | { readonly kind: 'failure'; readonly digest: Digest; readonly error: unknown }

/** When what has been in a queue of review since then is due. */
export interface Due {
  readonly manifests: ReadonlyMap<RepositoryKey, Date>
  readonly links: Date
  readonly blobs: Date
}

export function dueAt(now: Date, { graceMs, keepUntaggedMs }: CollectionRules): Due {
  const before = (ms: number): Date => new Date(now.getTime() - ms)
  const kept = [...keepUntaggedMs].filter(([, keepMs]) => Number.isFinite(keepMs))
  return {
    manifests: new Map(kept.map(([key, keepMs]) => [key, before(Math.max(keepMs, graceMs))])),
    links: before(graceMs),
    blobs: before(Math.min(readersMs, graceMs)),
  }
}

/**
 * One round: everything that is due goes, in short transactions between which pushes run. Each kind can make the next, so manifests
 * come first. Only one process may do this at a time (`lockDirectory`).
 */
export class Collector {
  readonly #storage: Storage
  readonly #rules: CollectionRules
  readonly #now: () => Date

  constructor(storage: Storage, rules: CollectionRules, now: () => Date = () => new Date()) {
    this.#storage = storage
    this.#rules = rules
    this.#now = now
  }

  async collect(signal: AbortSignal, tell: (collected: Collected) => void = () => {}): Promise<void> {
    const { metadata } = this.#storage
    const due = dueAt(this.#now(), this.#rules)
    await this.#buryLeftovers(signal, tell)
    for (const [repository, since] of due.manifests)
      await untilDone(signal, async () => {
        const { reviewed, removed } = await metadata.collectManifests(repository, since, batch)
        tell({ kind: 'manifest', removed })
        return reviewed
      })
    await untilDone(signal, async () => (await metadata.clearDeletedImages(batch)).reviewed)
    await untilDone(signal, async () => {
      const { reviewed, removed } = await metadata.collectLinks(due.links, batch)
      tell({ kind: 'link', removed })
      return reviewed
    })
    await untilDone(signal, async () => {
      const { reviewed, removed } = await metadata.condemnBlobs(due.blobs, batch)
      const buried = await this.#bury(
        removed.map(({ digest }) => digest),
        tell,
      )
      tell({ kind: 'blob', removed: removed.filter(({ digest }) => buried.has(digest)) })
      return reviewed
    })
  }

  /** What a killed process had condemned. */
  async #buryLeftovers(signal: AbortSignal, tell: (collected: Collected) => void): Promise<void> {
    for (;;) {
      const digests = await this.#storage.metadata.listCondemnedBlobs(batch)
      if (digests.length === 0 || signal.aborted) return
      await this.#bury(digests, tell)
    }
  }

  /**
   * On deletion the rows go out of use first, then the bytes go, then the rows (invariant 1). Resolves with those that are gone.
   */
  async #bury(digests: readonly Digest[], tell: (collected: Collected) => void): Promise<ReadonlySet<Digest>> {
    const { blobs, metadata } = this.#storage
    if (digests.length === 0) return new Set()
    try {
      await blobs.delete(digests)
      await metadata.forgetBlobs(digests)
      return new Set(digests)
    } catch (error) {
      const [digest, ...others] = digests
      if (others.length > 0) {
        const buried = await Promise.all(digests.map((digest) => this.#bury([digest], tell)))
        return new Set(buried.flatMap((one) => [...one]))
      }
      if (digest === undefined) return new Set()
      await metadata.reprieveBlob(digest)
      tell({ kind: 'failure', digest, error })
      return new Set()
    }
  }
}

/** The next batch is taken only when nobody waits for the database: each is its own transaction, and whoever comes first is served first. */
async function untilDone(signal: AbortSignal, review: () => Promise<number>): Promise<void> {
  while ((await review()) > 0 && !signal.aborted) await new Promise((resolve) => setImmediate(resolve))
}
