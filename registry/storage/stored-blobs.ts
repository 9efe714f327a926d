import type { Digest } from '../domain/digest.ts'
import type { Integrity, PlacedManifest, StoredBlob } from './integrity.ts'

/** Rows that are asked for at once; manifests may be large. */
const blobsPerPage = 1000
const manifestsPerPage = 10

/** All of them, page by page: what comes and goes meanwhile may be in it or not. */
export async function* storedBlobs(metadata: Integrity): AsyncGenerator<StoredBlob> {
  let after: Digest | undefined
  do {
    const page = await metadata.listStoredBlobs(after, blobsPerPage)
    yield* page
    after = page.at(-1)?.digest
  } while (after !== undefined)
}

export async function* placedManifests(metadata: Integrity): AsyncGenerator<PlacedManifest> {
  let after: PlacedManifest['place'] | undefined
  do {
    const page = await metadata.listPlacedManifests(after, manifestsPerPage)
    yield* page
    after = page.at(-1)?.place
  } while (after !== undefined)
}
