import type { Digest } from '../domain/digest.ts'
import type { ImageConfig } from '../domain/image-config.ts'
import type { StoredLayer } from '../domain/rebuilt-manifest.ts'
import type { CheckedStorage } from './blob-check.ts'
import { readContents } from './blob-contents.ts'

export interface FoundConfig {
  readonly digest: Digest
  readonly size: number
  readonly config: ImageConfig
}

/** What lies in a store, as its bytes say it. */
export interface BlobSurvey {
  readonly blobs: number
  readonly bytes: number
  readonly configs: readonly FoundConfig[]
  /** By the digest of their bytes without compression; the same may be there several times, compressed otherwise. */
  readonly contents: ReadonlyMap<Digest, readonly StoredLayer[]>
  readonly wrong: readonly Digest[]
}

/** Reads everything once. */
export async function surveyBlobs(store: CheckedStorage['blobs']): Promise<BlobSurvey> {
  const configs: FoundConfig[] = []
  const contents = new Map<Digest, StoredLayer[]>()
  const wrong: Digest[] = []
  let [blobs, bytes] = [0, 0]
  for await (const digest of store.listBlobs()) {
    const size = (await store.stat(digest))?.size ?? 0
    const found = await readContents(store, { digest, size })
    blobs += 1
    bytes += size
    switch (found.kind) {
      case 'config':
        configs.push({ digest, size, config: found.config })
        break
      case 'content': {
        const layer = { digest, size, compression: found.compression }
        contents.set(found.diffId, [...(contents.get(found.diffId) ?? []), layer])
        break
      }
      case 'wrong bytes':
        wrong.push(digest)
    }
  }
  return { blobs, bytes, configs, contents, wrong }
}
