import { parseDigest, type Digest } from '../../domain/digest.ts'
import { parseReference, type Reference } from '../../domain/names.ts'

/** What a path below `/v2/` names, by the patterns of OCI distribution 1.1, "Endpoints". */
export type Resource =
  | { readonly kind: 'version' }
  | { readonly kind: 'token' }
  | { readonly kind: 'auth' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'manifest'; readonly name: string; readonly reference: Reference }
  | { readonly kind: 'blob'; readonly name: string; readonly digest: Digest }
  | { readonly kind: 'uploads'; readonly name: string }
  | { readonly kind: 'upload'; readonly name: string; readonly id: string }
  | { readonly kind: 'tags'; readonly name: string }
  | { readonly kind: 'referrers'; readonly name: string; readonly digest: Digest }

export type ResourceKind = Resource['kind']

/**
 * Read from the right, because a name may itself contain `blobs`, `manifests` or `tags`. Undefined when no endpoint has
 * such a path. Throws DIGEST_INVALID, TAG_INVALID. The name is not checked yet: it may begin with a repository key.
 */
export function parseResource(rest: string): Resource | undefined {
  if (rest === '') return { kind: 'version' }
  if (rest === 'token') return { kind: 'token' }
  if (rest === 'auth') return { kind: 'auth' }
  if (rest === '_catalog') return { kind: 'catalog' }

  const segments = rest.split('/')
  const [last = '', parent, before] = segments.toReversed()
  const name = (drop: number): string => segments.slice(0, -drop).join('/')

  if (parent === 'manifests') return { kind: 'manifest', name: name(2), reference: parseReference(last) }
  if (parent === 'tags' && last === 'list') return { kind: 'tags', name: name(2) }
  if (parent === 'referrers') return { kind: 'referrers', name: name(2), digest: parseDigest(last) }
  if (before === 'blobs' && parent === 'uploads')
    return last === '' ? { kind: 'uploads', name: name(3) } : { kind: 'upload', name: name(3), id: last }
  if (parent === 'blobs')
    return last === 'uploads'
      ? { kind: 'uploads', name: name(2) }
      : { kind: 'blob', name: name(2), digest: parseDigest(last) }
  return undefined
}
