import type { Digest } from './digest.ts'

/** Kept byte for byte as it was pushed (design invariant 3). */
export interface Manifest {
  readonly digest: Digest
  readonly mediaType: string
  readonly bytes: Uint8Array
}

/** What a manifest says about other content; see `parseManifest`. */
export interface ManifestContents {
  /** Digests that must be blobs of the image: config and layers, without those of non-distributable media types. */
  readonly blobs: readonly Digest[]
  /** Entries of an index: each must be a manifest of the image, or (BuildKit's cache export) a blob of it. */
  readonly entries: readonly Digest[]
  /** May be missing (OCI distribution 1.1, "Listing Referrers"). */
  readonly subject: Digest | undefined
  /** Of the manifest, falling back to the config's media type for an image manifest. */
  readonly artifactType: string | undefined
}
