import type { Digest } from './digest.ts'
import { isObject, parseJson, type JsonObject } from './json.ts'

/** A manifest that has a subject. */
export interface Referrer {
  readonly digest: Digest
  readonly mediaType: string
  /** Of an image manifest that names none: the media type of its config. */
  readonly artifactType: string | undefined
  readonly bytes: Uint8Array
}

/** As it stands in the answer to whoever asks for the referrers of a subject. */
export interface ReferrerDescriptor {
  readonly mediaType: string
  readonly digest: Digest
  /** Of the manifest, in bytes. */
  readonly size: number
  readonly artifactType?: string
  readonly annotations?: JsonObject
}

/** OCI distribution 1.1, "Listing Referrers": a descriptor with the artifact type and the annotations of the manifest. */
export function describeReferrer({ digest, mediaType, artifactType, bytes }: Referrer): ReferrerDescriptor {
  const annotations = annotationsOf(bytes)
  return {
    mediaType,
    digest,
    size: bytes.byteLength,
    ...(artifactType !== undefined && { artifactType }),
    ...(annotations !== undefined && { annotations }),
  }
}

function annotationsOf(manifest: Uint8Array): JsonObject | undefined {
  const parsed = parseJson(manifest)
  const body = 'value' in parsed ? parsed.value : undefined
  return isObject(body) && isObject(body.annotations) ? body.annotations : undefined
}
