import type { Garbage, UnheldBlob, UnheldLink, UnheldManifest } from '../storage/garbage.ts'
import { dueAt, type CollectionRules } from './collector.ts'

/** More are not shown. */
const limit = 1_000_000

export interface Unheld {
  readonly manifests: readonly UnheldManifest[]
  readonly links: readonly UnheldLink[]
  readonly blobs: readonly UnheldBlob[]
}

/** What a round of collection would remove now. What only that holds is not in it: it begins its own time of grace then. */
export async function previewCollection(garbage: Garbage, rules: CollectionRules, now: Date): Promise<Unheld> {
  const due = dueAt(now, rules)
  const manifests = [...due.manifests].map(([key, since]) => garbage.findUnheldManifests(key, since, limit))
  return {
    manifests: (await Promise.all(manifests)).flat(),
    links: await garbage.findUnheldLinks(due.links, limit),
    blobs: await garbage.findUnheldBlobs(due.blobs, limit),
  }
}
