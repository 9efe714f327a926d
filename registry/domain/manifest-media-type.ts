import type { JsonObject } from './json.ts'
import { signedSchema1 } from './manifest-digest.ts'

const unsignedSchema1 = 'application/vnd.docker.distribution.manifest.v1+json'
const index = 'application/vnd.oci.image.index.v1+json'
const image = 'application/vnd.oci.image.manifest.v1+json'

/** Where nobody says what a manifest is: as it says itself, or looks. Undefined for what is none. */
export function mediaTypeOfManifest(body: JsonObject): string | undefined {
  if (typeof body.mediaType === 'string' && body.mediaType !== '') return body.mediaType
  if (body.schemaVersion === 1) return Array.isArray(body.signatures) ? signedSchema1 : unsignedSchema1
  if (Array.isArray(body.manifests)) return index
  return typeof body.config === 'object' && body.config !== null && Array.isArray(body.layers) ? image : undefined
}
