import { algorithmOf, type Digest } from '../domain/digest.ts'
import { RegistryError } from '../domain/errors.ts'
import type { Blobs } from '../storage/blob-store.ts'
import { isUnreadable } from '../storage/durable-files.ts'
import type { Integrity, Judgement, StoredBlob } from '../storage/integrity.ts'
import type { Quarantine } from '../storage/quarantine.ts'
import { RunningHash } from '../storage/running-hashes.ts'
import type { Pace } from './pace.ts'

export interface CheckedStorage {
  readonly blobs: Pick<Blobs, 'open' | 'stat' | 'listBlobs'>
  readonly quarantine: Quarantine
  readonly metadata: Integrity
}

/** `unreadable`: the disk does not give them back, or no file is there but something else. `wrong size`: the bytes are right, and what is known of them is not. */
export type BlobProblem = 'wrong bytes' | 'unreadable' | 'missing' | 'wrong size'

export interface BlobCheck {
  /** How many were read. */
  readonly bytes: number
  /** Undefined when there is none, and when the blob has gone or was pushed again in the meantime. */
  readonly problem: BlobProblem | undefined
  /** It had been quarantined, and the right bytes lie there again. */
  readonly healed: boolean
}

/**
 * Reads one blob and judges it, while others may push, delete or judge it too. The row goes out of use first, the bytes later: killed
 * in between, the next check finds both and goes on.
 */
export async function checkBlob(
  storage: CheckedStorage,
  blob: StoredBlob,
  pace: Pace,
  signal: AbortSignal,
): Promise<BlobCheck> {
  const seen = await storage.quarantine.version(blob.digest)
  const { problem, bytes } = await examine(storage.blobs, blob, pace, signal)
  const judgement: Judgement = problem === undefined || problem === 'wrong size' ? 'kept' : 'quarantined'
  if (judgement === 'kept' && blob.state === 'kept') return { bytes, problem, healed: false }

  const before = await judge(storage, blob.digest, seen, judgement)
  if (before === undefined) return { bytes, problem: undefined, healed: false }
  if (judgement === 'quarantined') await putAside(storage, blob.digest, seen)
  return { bytes, problem, healed: judgement === 'kept' && before === 'quarantined' }
}

interface Examined {
  readonly bytes: number
  readonly problem: BlobProblem | undefined
}

/** Reads the whole blob. */
export async function examine(
  blobs: CheckedStorage['blobs'],
  { digest, size }: StoredBlob,
  pace: Pace,
  signal: AbortSignal,
): Promise<Examined> {
  const hash = new RunningHash(algorithmOf(digest))
  try {
    for await (const chunk of (await blobs.open(digest, undefined)) as AsyncIterable<Buffer>) {
      hash.update(chunk)
      await pace.take(chunk.length, signal)
    }
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'BLOB_UNKNOWN') return { bytes: 0, problem: 'missing' }
    if (isUnreadable(error)) return { bytes: hash.size, problem: 'unreadable' }
    throw error
  }
  if (hash.digest() !== digest) return { bytes: hash.size, problem: 'wrong bytes' }
  return { bytes: hash.size, problem: hash.size === size ? undefined : 'wrong size' }
}

/** What the blob was before; undefined when other bytes have come to lie there, or it is no longer known. */
async function judge(
  { metadata, quarantine }: CheckedStorage,
  digest: Digest,
  seen: string | undefined,
  judgement: Judgement,
): Promise<Judgement | undefined> {
  let before: Judgement | undefined
  await metadata.judgeBlob(digest, async ({ state }) => {
    // A push has hashed what it put in their place, and says so itself.
    if ((await quarantine.version(digest)) !== seen) return undefined
    before = state
    return judgement
  })
  return before
}

/** A push that has said which blob it is about to become may put right bytes there at any moment: then they stay, for the next scrub. */
async function putAside({ metadata, quarantine }: CheckedStorage, digest: Digest, seen: string | undefined) {
  if (seen === undefined) return
  await metadata.judgeBlob(digest, async ({ state, expected }) => {
    if (state === 'quarantined' && !expected && (await quarantine.version(digest)) === seen)
      await quarantine.putAside(digest)
    return undefined
  })
}
