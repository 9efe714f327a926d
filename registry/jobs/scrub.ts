import { algorithmOf, type Digest } from '../domain/digest.ts'
import { digestOfManifest } from '../domain/manifest-digest.ts'
import type { ImageRef } from '../domain/names.ts'
import type { BlobHolder, Integrity } from '../storage/integrity.ts'
import { placedManifests, storedBlobs } from '../storage/stored-blobs.ts'
import { checkBlob, type BlobProblem, type CheckedStorage } from './blob-check.ts'
import type { Pace } from './pace.ts'

export interface WrongBlob {
  readonly digest: Digest
  /** As it was when the blob was pushed, in bytes. */
  readonly size: number
  readonly problem: BlobProblem
  /** An earlier scrub found it, and it has not been pushed since. */
  readonly knownBefore: boolean
  readonly holders: readonly BlobHolder[]
}

export interface Scrubbed {
  /** How many of them were looked at. */
  readonly blobs: number
  readonly bytes: number
  readonly manifests: number
  /** All but those of a wrong size are quarantined now. */
  readonly wrong: readonly WrongBlob[]
  readonly wrongManifests: readonly { readonly of: ImageRef; readonly digest: Digest }[]
  /** Had been quarantined, and the right bytes lie there again. */
  readonly healed: readonly Digest[]
  /** Files of which nothing is known. */
  readonly orphans: readonly { readonly digest: Digest; readonly size: number }[]
}

/** Looks at everything once. Others may push, pull, delete and scrub meanwhile. Rejects when `signal` is aborted. */
export async function scrub(storage: CheckedStorage, pace: Pace, signal: AbortSignal): Promise<Scrubbed> {
  // First, because it fails when the directory is not there: an unmounted disk is no reason to quarantine every blob.
  const orphans = await findOrphans(storage)
  const blobs = await scrubBlobs(storage, pace, signal)
  const manifests = await scrubManifests(storage.metadata, pace, signal)
  return { ...blobs, ...manifests, orphans }
}

type ScrubbedBlobs = Pick<Scrubbed, 'blobs' | 'bytes' | 'wrong' | 'healed'>

async function scrubBlobs(storage: CheckedStorage, pace: Pace, signal: AbortSignal): Promise<ScrubbedBlobs> {
  const { metadata } = storage
  const wrong: WrongBlob[] = []
  const healed: Digest[] = []
  let [blobs, bytes] = [0, 0]
  for await (const blob of storedBlobs(metadata)) {
    const check = await checkBlob(storage, blob, pace, signal)
    blobs += 1
    bytes += check.bytes
    const { digest, size } = blob
    if (check.healed) healed.push(digest)
    if (!check.problem) continue
    const knownBefore = blob.state === 'quarantined'
    wrong.push({ digest, size, problem: check.problem, knownBefore, holders: await metadata.listHolders(digest) })
  }
  return { blobs, bytes, wrong, healed }
}

type ScrubbedManifests = Pick<Scrubbed, 'manifests' | 'wrongManifests'>

export async function scrubManifests(metadata: Integrity, pace: Pace, signal: AbortSignal): Promise<ScrubbedManifests> {
  const wrongManifests: { of: ImageRef; digest: Digest }[] = []
  let manifests = 0
  for await (const { of, manifest } of placedManifests(metadata)) {
    const { digest, mediaType, bytes } = manifest
    if (digestOfManifest(mediaType, bytes, algorithmOf(digest)) !== digest) wrongManifests.push({ of, digest })
    manifests += 1
    await pace.take(bytes.length, signal)
  }
  return { manifests, wrongManifests }
}

async function findOrphans({ blobs, metadata }: CheckedStorage): Promise<Scrubbed['orphans']> {
  const orphans: { digest: Digest; size: number }[] = []
  for await (const digest of blobs.listBlobs()) {
    if (await metadata.isBlobKnown(digest)) continue
    // It may have been deleted since it was listed, and pushed again since it was asked about.
    const found = await blobs.stat(digest)
    if (found && !(await metadata.isBlobKnown(digest))) orphans.push({ digest, size: found.size })
  }
  return orphans
}
