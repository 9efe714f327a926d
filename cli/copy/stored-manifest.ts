import { algorithmOf, type Digest } from '../../registry/domain/digest.ts'
import { isObject, parseJson } from '../../registry/domain/json.ts'
import { digestOfManifest } from '../../registry/domain/manifest-digest.ts'
import { mediaTypeIn } from '../../registry/domain/manifest-media-type.ts'
import type { Manifest } from '../../registry/domain/manifest.ts'

export const maxManifestBytes = 8 * 1024 * 1024

/** The bytes of a blob as the manifest that they are; undefined when they are none. Throws when they are not what `digest` says. */
export function storedManifest(digest: Digest, bytes: Uint8Array): Manifest | undefined {
  const parsed = parseJson(bytes)
  const mediaType = 'value' in parsed && isObject(parsed.value) ? mediaTypeIn(parsed.value) : undefined
  const actual = digestOfManifest(mediaType ?? '', bytes, algorithmOf(digest))
  if (actual !== digest)
    throw new Error(`the source's manifest ${digest} is corrupt: its ${bytes.length} bytes are ${actual}`)
  return mediaType === undefined ? undefined : { digest, mediaType, bytes }
}
