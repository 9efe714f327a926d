import { isDigest } from '../domain/digest.ts'
import { RegistryError } from '../domain/errors.ts'
import {
  isImageName,
  isRepositoryKey,
  isTag,
  type ImageName,
  type Reference,
  type RepositoryKey,
} from '../domain/names.ts'

/** What lies at a path of Artifactory's layout: `<repository key>/<image>/<tag>`. */
export type Item =
  | { readonly kind: 'repository' }
  | { readonly kind: 'image'; readonly image: ImageName }
  | { readonly kind: 'manifest'; readonly image: ImageName; readonly reference: Reference }

/**
 * All that the path can be: `a/b` is a tag of `a` or an image of its own. Undefined when it is no path of an item. Throws
 * BAD_REQUEST for a slash at the end: a script whose variable is empty must not delete what is around what it meant.
 */
export function parseItemPath(
  path: string,
): { readonly repository: RepositoryKey; readonly items: readonly Item[] } | undefined {
  if (path.endsWith('/'))
    throw new RegistryError('BAD_REQUEST', {
      message:
        'the path ends with a slash: expected <repository key>, <repository key>/<image> or <repository key>/<image>/<tag>',
    })
  const [repository = '', ...inside] = path.split('/')
  if (!isRepositoryKey(repository)) return undefined
  const items = inside.length === 0 ? [{ kind: 'repository' } as const] : [...itemsInside(inside)]
  return items.length === 0 ? undefined : { repository, items }
}

function* itemsInside(segments: readonly string[]): Generator<Item> {
  const whole = segments.join('/')
  if (isImageName(whole)) yield { kind: 'image', image: whole }
  const image = segments.slice(0, -1).join('/')
  const reference = parseLast(segments.at(-1) ?? '')
  if (reference && isImageName(image)) yield { kind: 'manifest', image, reference }
}

function parseLast(segment: string): Reference | undefined {
  if (isDigest(segment)) return { digest: segment }
  return isTag(segment) ? { tag: segment } : undefined
}
