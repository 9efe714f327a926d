import type { Digest } from '../domain/digest.ts'
import type { RepositoryKey } from '../domain/names.ts'
import type { Reviewed, UnheldBlob, UnheldLink, UnheldManifest } from '../storage/garbage.ts'
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

export interface Collected {
  readonly manifests: readonly UnheldManifest[]
  readonly links: readonly UnheldLink[]
  /** What has been deleted from the blob store. */
  readonly blobs: readonly UnheldBlob[]
  readonly failures: readonly { readonly digest: Digest; readonly error: unknown }[]
}

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

  async collect(signal: AbortSignal): Promise<Collected> {
    const { metadata } = this.#storage
    const due = dueAt(this.#now(), this.#rules)
    await this.#buryLeftovers(signal)
    const manifests: UnheldManifest[] = []
    for (const [repository, since] of due.manifests)
      manifests.push(...(await untilDone(signal, () => metadata.collectManifests(repository, since, batch))))
    await untilDone(signal, async () => ({ ...(await metadata.clearDeletedImages(batch)), removed: [] }))
    const links = await untilDone(signal, () => metadata.collectLinks(due.links, batch))
    return { manifests, links, ...(await this.#collectBlobs(due.blobs, signal)) }
  }

  async #collectBlobs(since: Date, signal: AbortSignal): Promise<Pick<Collected, 'blobs' | 'failures'>> {
    const failures: Failure[] = []
    const condemned = await untilDone(signal, async () => {
      const reviewed = await this.#storage.metadata.condemnBlobs(since, batch)
      failures.push(...(await this.#bury(reviewed.removed.map(({ digest }) => digest))))
      return reviewed
    })
    const failed = new Set(failures.map(({ digest }) => digest))
    return { blobs: condemned.filter(({ digest }) => !failed.has(digest)), failures }
  }

  /** What a killed process had condemned. */
  async #buryLeftovers(signal: AbortSignal): Promise<void> {
    for (;;) {
      const digests = await this.#storage.metadata.listCondemnedBlobs(batch)
      if (digests.length === 0 || signal.aborted) return
      await this.#bury(digests)
    }
  }

  /** On deletion the rows go out of use first, then the bytes go, then the rows (invariant 1). */
  async #bury(digests: readonly Digest[]): Promise<readonly Failure[]> {
    const { blobs, metadata } = this.#storage
    if (digests.length === 0) return []
    try {
      await blobs.delete(digests)
      await metadata.forgetBlobs(digests)
      return []
    } catch (error) {
      if (digests.length > 1) return (await Promise.all(digests.map((digest) => this.#bury([digest])))).flat()
      const [digest] = digests
      if (digest === undefined) return []
      await metadata.reprieveBlob(digest)
      return [{ digest, error }]
    }
  }
}

type Failure = Collected['failures'][number]

/** The next batch is taken only when nobody waits for the database: each is its own transaction, and whoever comes first is served first. */
async function untilDone<removed>(
  signal: AbortSignal,
  review: () => Promise<Reviewed<removed>>,
): Promise<readonly removed[]> {
  const all: removed[] = []
  for (;;) {
    const { reviewed, removed } = await review()
    all.push(...removed)
    if (reviewed === 0 || signal.aborted) return all
    await new Promise((resolve) => setImmediate(resolve))
  }
}
