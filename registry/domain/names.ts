import { isDigest, parseDigest, type Digest } from './digest.ts'
import { RegistryError } from './errors.ts'
import type { Parsed } from './parsed.ts'

export type RepositoryKey = Parsed<'RepositoryKey'>
export type ImageName = Parsed<'ImageName'>
export type Tag = Parsed<'Tag'>
export type Reference = { readonly tag: Tag } | { readonly digest: Digest }

/** One image in one repository. */
export interface ImageRef {
  readonly repository: RepositoryKey
  readonly image: ImageName
}

/** Whether a tag may be taken from the manifest that it is on. Asked within the transaction that does it. */
export type MayTake = (tag: Tag) => boolean

/** Lower case because a key stands in image names and host names; these words stand where a key could in a path. */
const key = /^[a-z0-9]+(?:[._-]+[a-z0-9]+)*$/
const reservedKeys: ReadonlySet<string> = new Set(['v1', 'v2', 'api', 'token'])
/** OCI distribution 1.1, "Pulling manifests": `<name>` and `<reference>` as a tag. */
const image = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const tag = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/
const maxImageLength = 255

export function isRepositoryKey(text: string): text is RepositoryKey {
  return text.length <= 64 && key.test(text) && !reservedKeys.has(text)
}

export function isImageName(text: string): text is ImageName {
  return text.length <= maxImageLength && image.test(text)
}

/** Throws NAME_INVALID. */
export function parseImageName(text: string): ImageName {
  if (isImageName(text)) return text
  throw new RegistryError('NAME_INVALID', {
    message: `not an image name: expected at most ${maxImageLength} lower-case letters, digits and separators`,
    detail: { name: text },
  })
}

export function isTag(text: string): text is Tag {
  return tag.test(text)
}

/** Throws TAG_INVALID. */
export function parseTag(text: string): Tag {
  if (isTag(text)) return text
  throw new RegistryError('TAG_INVALID', {
    message: 'not a tag: expected up to 128 letters, digits, "_", "." and "-", not starting with "." or "-"',
    detail: { tag: text },
  })
}

/** A digest when it contains a colon, which no tag can; else a tag. Throws DIGEST_INVALID or TAG_INVALID. */
export function parseReference(text: string): Reference {
  if (isDigest(text) || text.includes(':')) return { digest: parseDigest(text) }
  return { tag: parseTag(text) }
}
