import { readDescriptor, type Descriptor } from './descriptor.ts'
import type { Digest } from './digest.ts'
import { RegistryError } from './errors.ts'
import { isObject, parseJson, type JsonObject } from './json.ts'
import { payloadOf } from './manifest-digest.ts'
import { imageTypes, indexTypes } from './manifest-media-type.ts'
import { signedSchema1, unsignedSchema1 } from './schema1/media-types.ts'
import { blobSumsIn } from './schema1/schema1.ts'

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

type Shape = 'image' | 'index' | 'schema 1'

const shapes: ReadonlyMap<string, Shape> = new Map([
  ...[unsignedSchema1, signedSchema1].map((type) => [type, 'schema 1'] as const),
  ...imageTypes.map((type) => [type, 'image'] as const),
  ...indexTypes.map((type) => [type, 'index'] as const),
])

const nothing: ManifestContents = { blobs: [], entries: [], subject: undefined, artifactType: undefined }

/** Whether it is, or looks like, an image manifest of schema 1. */
export function isSchema1(mediaType: string, bytes: Uint8Array): boolean {
  const known = shapes.get(mediaType)
  if (known) return known === 'schema 1'
  const json = parseJson(bytes)
  return 'value' in json && isObject(json.value) && shapeOf(json.value) === 'schema 1'
}

/**
 * What the manifest names. Of a media type that is not known here, what it names if it is shaped like one that is, and
 * else nothing: it is kept as it came. Throws MANIFEST_INVALID with a message that says what was expected.
 */
export function parseManifest(mediaType: string, bytes: Uint8Array): ManifestContents {
  const shape = shapes.get(mediaType)
  const json = parseJson(payloadOf(mediaType, bytes))
  if ('problem' in json || !isObject(json.value)) {
    if (!shape) return nothing
    throw invalid('problem' in json ? json.problem : 'expected a JSON object')
  }

  const body = json.value
  refuseOtherMediaType(body, mediaType)
  switch (shape ?? shapeOf(body)) {
    case 'schema 1':
      return namedBySchema1(body)
    case 'image':
      return parseImage(body)
    case 'index':
      return parseIndex(body)
    case undefined:
      return nothing
  }
}

/** Of images, an index or list; see `parseManifest`. */
export function isIndex({ mediaType, bytes }: Manifest): boolean {
  const known = shapes.get(mediaType)
  if (known) return known === 'index'
  const json = parseJson(bytes)
  return 'value' in json && isObject(json.value) && shapeOf(json.value) === 'index'
}

/** Where the configuration of the image is; undefined when the manifest names none. */
export function configDigest({ bytes }: Manifest): Digest | undefined {
  const json = parseJson(bytes)
  if (!('value' in json) || !isObject(json.value)) return undefined
  const found = readDescriptor(json.value.config)
  return 'digest' in found ? found.digest : undefined
}

function shapeOf(body: JsonObject): Shape | undefined {
  if (body.schemaVersion === 1 && 'fsLayers' in body) return 'schema 1'
  if (body.schemaVersion !== 2) return undefined
  const isImage = isDescriptor(body.config) && isListOfDescriptors(body.layers)
  const isIndex = Array.isArray(body.manifests) && isListOfDescriptors(body.manifests)
  if (isImage === isIndex || !isOptionalDescriptor(body.subject)) return undefined
  return isImage ? 'image' : 'index'
}

/** A document that is an image to one client and an index to another hides one of the two (CVE-2021-41190). */
function parseImage(body: JsonObject): ManifestContents {
  refuseUnlessVersion2(body)
  refuseField(body, 'manifests', 'an image manifest')
  const config = descriptor(body.config, 'config')
  const named = [config, ...descriptors(body.layers, 'layers')].filter(({ foreign }) => !foreign)
  return {
    blobs: digestsOf(named),
    entries: [],
    subject: subjectOf(body),
    artifactType: artifactTypeOf(body) ?? config.mediaType,
  }
}

function parseIndex(body: JsonObject): ManifestContents {
  refuseUnlessVersion2(body)
  refuseField(body, 'config', 'an index')
  refuseField(body, 'layers', 'an index')
  if (body.manifests === undefined) throw invalid('manifests: expected a list of descriptors')
  const entries = digestsOf(descriptors(body.manifests, 'manifests'))
  return { blobs: [], entries, subject: subjectOf(body), artifactType: artifactTypeOf(body) }
}

function namedBySchema1(body: JsonObject): ManifestContents {
  return { ...nothing, blobs: [...new Set(blobSumsIn(body))] }
}

/** Of a blob or manifest that it names, as it says; undefined when it does not name it or says nothing. */
export function sizeNamed({ bytes }: Manifest, digest: Digest): number | undefined {
  return descriptorsIn(bytes).find((named) => named.digest === digest)?.size
}

/** Where the blobs lie that the manifest says need not be in a registry. */
export function foreignUrls({ bytes }: Manifest): ReadonlyMap<Digest, readonly string[]> {
  const foreign = descriptorsIn(bytes).filter(({ urls }) => urls.length > 0)
  return new Map(foreign.map(({ digest, urls }) => [digest, urls]))
}

/** Entries of an index; `platform` as in `linux/arm64/v8`, undefined for what is for none (attestations say unknown/unknown). */
export function platformEntries({
  bytes,
}: Manifest): readonly { readonly digest: Digest; readonly platform: string | undefined }[] {
  const json = parseJson(bytes)
  if (!('value' in json) || !isObject(json.value)) return []
  return listOf(json.value.manifests).flatMap((entry) => {
    const found = readDescriptor(entry)
    return 'digest' in found ? [{ digest: found.digest, platform: platformOf(entry) }] : []
  })
}

function platformOf(entry: unknown): string | undefined {
  const platform = isObject(entry) && isObject(entry.platform) ? entry.platform : {}
  const parts = [platform.os, platform.architecture, platform.variant].filter((part) => typeof part === 'string')
  return parts.length >= 2 && parts[0] !== 'unknown' ? parts.join('/') : undefined
}

function descriptorsIn(bytes: Uint8Array): readonly Descriptor[] {
  const json = parseJson(bytes)
  if (!('value' in json) || !isObject(json.value)) return []
  const { config, layers, manifests } = json.value
  return [config, ...listOf(layers), ...listOf(manifests)].map(readDescriptor).filter((found) => 'digest' in found)
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** OCI image 1.1, "Image Manifest": mediaType MUST match the Content-Type when it is there. */
function refuseOtherMediaType({ mediaType }: JsonObject, contentType: string): void {
  if (mediaType === undefined || mediaType === contentType) return
  throw invalid(`mediaType: expected ${contentType}, as the Content-Type says, or none`)
}

function refuseUnlessVersion2({ schemaVersion }: JsonObject): void {
  if (schemaVersion !== 2) throw invalid('schemaVersion: expected 2')
}

function refuseField(body: JsonObject, field: string, what: string): void {
  if (body[field] !== undefined) throw invalid(`${field}: ${what} has no such field`)
}

function subjectOf({ subject }: JsonObject): Digest | undefined {
  return subject === undefined || subject === null ? undefined : descriptor(subject, 'subject').digest
}

function artifactTypeOf({ artifactType }: JsonObject): string | undefined {
  if (artifactType === undefined || artifactType === '') return undefined
  if (typeof artifactType === 'string') return artifactType
  throw invalid('artifactType: expected a string')
}

/** Programs in Go write an empty list as null. */
function descriptors(list: unknown, field: string): readonly Descriptor[] {
  if (list === undefined || list === null) return []
  if (!Array.isArray(list)) throw invalid(`${field}: expected a list of descriptors`)
  return list.map((value: unknown, index) => descriptor(value, `${field}[${index}]`))
}

function descriptor(value: unknown, field: string): Descriptor {
  const found = readDescriptor(value)
  if ('problem' in found) throw invalid(`${field}${found.problem}`)
  return found
}

function isDescriptor(value: unknown): boolean {
  return !('problem' in readDescriptor(value))
}

function isOptionalDescriptor(value: unknown): boolean {
  return value === undefined || value === null || isDescriptor(value)
}

function isListOfDescriptors(list: unknown): boolean {
  return list === undefined || list === null || (Array.isArray(list) && list.every(isDescriptor))
}

function digestsOf(named: readonly Descriptor[]): readonly Digest[] {
  return [...new Set(named.map(({ digest }) => digest))]
}

function invalid(message: string): RegistryError {
  return new RegistryError('MANIFEST_INVALID', { message })
}
