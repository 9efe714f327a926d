import { isObject, type JsonObject } from './json.ts'
import { signedSchema1, unsignedSchema1 } from './schema1/media-types.ts'

export const imageTypes = [
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
] as const
export const indexTypes = [
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.index.v1+json',
] as const
const [, ociImage] = imageTypes
const [, ociIndex] = indexTypes

/** What says no more than that it is a file; the last is what curl says unless told otherwise. */
const vague: ReadonlySet<string> = new Set([
  '',
  'application/json',
  'application/octet-stream',
  'binary/octet-stream',
  'text/plain',
  'application/x-www-form-urlencoded',
])
const form = /^[\w.+-]+\/[\w.+-]+$/

export function isMediaType(text: string): boolean {
  return form.test(text)
}

export function isVague(mediaType: string | undefined): boolean {
  return mediaType === undefined || vague.has(mediaType)
}

/** As the manifest itself says or looks, for where nobody else says it; undefined when that is like none that is known. */
export function mediaTypeIn(body: JsonObject): string | undefined {
  if (typeof body.mediaType === 'string' && isMediaType(body.mediaType)) return body.mediaType
  if (body.schemaVersion === 1) return Array.isArray(body.signatures) ? signedSchema1 : unsignedSchema1
  if (Array.isArray(body.manifests)) return ociIndex
  return isObject(body.config) && Array.isArray(body.layers) ? ociImage : undefined
}
