import { RegistryError } from '../../domain/errors.ts'
import { parseImageName, parseTag, type ImageName, type Tag } from '../../domain/names.ts'
import { isV1ImageId, type V1ImageId } from '../../domain/v1-image.ts'

/** What a path below `/v1/` names: docker 1.5, "Docker Registry API" and "Docker Hub API". */
export type V1Resource =
  | { readonly kind: 'ping' }
  | { readonly kind: 'search' }
  | { readonly kind: 'users' }
  | { readonly kind: 'auth' }
  | ImageResource
  | { readonly kind: 'repository'; readonly image: ImageName }
  | { readonly kind: 'repository images'; readonly image: ImageName }
  | { readonly kind: 'repository auth'; readonly image: ImageName }
  | { readonly kind: 'repository json'; readonly image: ImageName }
  | { readonly kind: 'properties'; readonly image: ImageName }
  | { readonly kind: 'tags'; readonly image: ImageName }
  | { readonly kind: 'tag'; readonly image: ImageName; readonly tag: Tag }
  | { readonly kind: 'tag json'; readonly image: ImageName; readonly tag: Tag }
  | { readonly kind: 'layer access'; readonly image: ImageName; readonly id: V1ImageId }

export type V1Kind = V1Resource['kind']

const imageParts = ['json', 'layer', 'checksum', 'ancestry', 'files', 'diff'] as const
type ImagePart = `image ${(typeof imageParts)[number]}`
/** One for each kind, as a table of endpoints tells them apart. */
type ImageResource = { [kind in ImagePart]: { readonly kind: kind; readonly id: V1ImageId } }[ImagePart]

const wholes = { _ping: 'ping', search: 'search', users: 'users', 'users/': 'users', auth: 'auth' } as const
/** By the last part of a path. */
const ofRepository = {
  images: 'repository images',
  auth: 'repository auth',
  json: 'repository json',
  properties: 'properties',
  tags: 'tags',
} as const

/**
 * Undefined when there is no such path. Throws NAME_INVALID, TAG_INVALID, and MANIFEST_UNKNOWN for what is no id. A name may have any number
 * of parts, so it is read from the right; docker ends the path of a repository itself with a slash.
 */
export function parseV1Resource(rest: string): V1Resource | undefined {
  if (Object.hasOwn(wholes, rest)) return { kind: wholes[rest as keyof typeof wholes] }
  const [first, ...segments] = rest.split('/')
  if (first === 'images' && segments.length === 2) return imageResource(segments[0] ?? '', segments[1] ?? '')
  return first === 'repositories' && segments.length > 0 ? repositoryResource(segments) : undefined
}

function imageResource(id: string, part: string): V1Resource | undefined {
  const known = imageParts.find((name) => name === part)
  return known && { kind: `image ${known}`, id: parseId(id) }
}

function repositoryResource(segments: readonly string[]): V1Resource {
  const [last = '', parent, before] = segments.toReversed()
  const image = (drop: number): ImageName => v1ImageName(segments.slice(0, -drop).join('/'))
  if (last === '') return { kind: 'repository', image: image(1) }
  if (parent === 'tags' && segments.length > 2) return { kind: 'tag', image: image(2), tag: parseTag(last) }
  if (last === 'json' && before === 'tags' && segments.length > 3)
    return { kind: 'tag json', image: image(3), tag: parseTag(parent ?? '') }
  if (last === 'access' && before === 'layer' && segments.length > 3)
    return { kind: 'layer access', image: image(3), id: parseId(parent ?? '') }
  if (segments.length > 1 && Object.hasOwn(ofRepository, last))
    return { kind: ofRepository[last as keyof typeof ofRepository], image: image(1) }
  return { kind: 'repository', image: v1ImageName(segments.join('/')) }
}

/** Docker says `library/ubuntu` in some calls and `ubuntu` in others, and means the same. Throws NAME_INVALID. */
export function v1ImageName(name: string): ImageName {
  return parseImageName(name.includes('/') ? name : `library/${name}`)
}

function parseId(text: string): V1ImageId {
  if (isV1ImageId(text)) return text
  throw new RegistryError('MANIFEST_UNKNOWN', { message: 'Invalid image ID: expected 64 hex digits, or 16' })
}
