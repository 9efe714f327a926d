import { isImageName, isTag, type ImageName, type Tag } from '../../domain/names.ts'
import { readPages } from './links.ts'
import type { Requests } from './requests.ts'
import { catalogScope, pullScope } from './scope.ts'

/** As many as registries give at once. */
const pageSize = 1000

/** Undefined: the upstream has no such image. */
export async function listTags(requests: Requests, base: URL, image: ImageName): Promise<readonly Tag[] | undefined> {
  const pages = await readPages(requests, {
    question: { method: 'GET', url: new URL(`${image}/tags/list?n=${pageSize}`, base) },
    scope: pullScope(image),
    below: base.pathname,
    items: ({ tags }) => listOf(tags),
  })
  return 'items' in pages ? inByteOrder(pages.items.filter(isText).filter(isTag)) : undefined
}

/** Undefined: the upstream lists none to us. */
export async function listImages(requests: Requests, base: URL): Promise<readonly ImageName[] | undefined> {
  const pages = await readPages(requests, {
    question: { method: 'GET', url: new URL(`_catalog?n=${pageSize}`, base), meant: [403, 405] },
    scope: catalogScope,
    below: base.pathname,
    items: ({ repositories }) => listOf(repositories),
  })
  return 'items' in pages ? inByteOrder(pages.items.filter(isText).filter(isImageName)) : undefined
}

/** Programs in Go write an empty list as null. */
function listOf(value: unknown): readonly unknown[] | undefined {
  if (value === null) return []
  return Array.isArray(value) ? value : undefined
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

/** Both kinds of name are ASCII, whose code units are in the order of their bytes. */
function inByteOrder<name extends string>(names: readonly name[]): readonly name[] {
  return [...new Set(names)].sort()
}
