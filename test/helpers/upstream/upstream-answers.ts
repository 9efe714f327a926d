import { jsonPlan, plan, type Plan } from './plan.ts'
import type { SeenRequest } from './test-listener.ts'
import type { UpstreamContent } from './upstream-content.ts'

export type RequestKind = 'ping' | 'manifest' | 'blob' | 'tags' | 'catalog' | 'referrers' | 'other'

export interface Asked {
  readonly kind: RequestKind
  readonly image: string
  /** What comes after the kind: a reference or a digest. */
  readonly rest: string
}

const patterns: readonly (readonly [RequestKind, RegExp])[] = [
  ['ping', /^\/v2\/?$/],
  ['catalog', /^\/v2\/_catalog$/],
  ['manifest', /^\/v2\/(?<image>.+)\/manifests\/(?<rest>[^/]+)$/],
  ['blob', /^\/v2\/(?<image>.+)\/blobs\/(?<rest>[^/]+)$/],
  ['tags', /^\/v2\/(?<image>.+)\/tags\/list$/],
  ['referrers', /^\/v2\/(?<image>.+)\/referrers\/(?<rest>[^/]+)$/],
]

export function askedFor(url: string): Asked {
  const path = decodeURIComponent(url.split('?')[0] ?? '')
  for (const [kind, pattern] of patterns) {
    const found = pattern.exec(path)
    if (found) return { kind, image: found.groups?.image ?? '', rest: found.groups?.rest ?? '' }
  }
  return { kind: 'other', image: '', rest: '' }
}

/** What an honest registry answers. `pageSize` counts for tags and catalog. */
export function rightAnswer(content: UpstreamContent, request: SeenRequest, pageSize: number): Plan {
  const { kind, image, rest } = askedFor(request.url)
  switch (kind) {
    case 'ping':
      return jsonPlan(200, {})
    case 'manifest':
      return manifestAnswer(content, image, rest, request.headers['if-none-match'])
    case 'blob':
      return blobAnswer(content, image, rest, request.headers.range)
    case 'tags':
      if (!content.images.has(image)) return unknown('NAME_UNKNOWN')
      return paged(request.url, [...content.image(image).tags.keys()], pageSize, (tags) => ({ name: image, tags }))
    case 'catalog':
      return paged(request.url, [...content.images.keys()], pageSize, (repositories) => ({ repositories }))
    case 'referrers': {
      const mediaType = 'application/vnd.oci.image.index.v1+json'
      const manifests = content.referrers(image, rest)
      return jsonPlan(200, { schemaVersion: 2, mediaType, manifests }, { 'content-type': mediaType })
    }
    case 'other':
      return unknown('NAME_UNKNOWN')
  }
}

function manifestAnswer(content: UpstreamContent, image: string, reference: string, known: string | undefined): Plan {
  const manifest = content.find(image, reference)
  if (!manifest) return unknown('MANIFEST_UNKNOWN')
  if (known === `"${manifest.digest}"`) return plan(304, '', { etag: known })
  return {
    ...jsonPlan(200, ''),
    headers: { 'content-type': manifest.mediaType, 'docker-content-digest': manifest.digest },
    body: { size: manifest.bytes.length, from: (first) => [manifest.bytes.subarray(first)] },
  }
}

function blobAnswer(content: UpstreamContent, image: string, digest: string, wanted: string | undefined): Plan {
  const body = content.images.get(image)?.blobs.get(digest)
  if (!body) return unknown('BLOB_UNKNOWN')
  const headers = { 'content-type': 'application/octet-stream', 'docker-content-digest': digest }
  const whole: Plan = { status: 200, headers, body, steps: [] }
  const [, first = '', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(wanted ?? '') ?? []
  if (first === '') return whole
  if (Number(first) >= body.size) return { ...whole, status: 416 }
  const end = last === '' ? body.size - 1 : Math.min(Number(last), body.size - 1)
  return { ...whole, range: { first: Number(first), last: end } }
}

/** OCI distribution 1.1, "Listing Tags". */
function paged(url: string, all: readonly string[], size: number, list: (page: readonly string[]) => object): Plan {
  const { pathname, searchParams } = new URL(url, 'http://upstream')
  const sorted = [...all].sort()
  const start = sorted.findIndex((name) => name > (searchParams.get('last') ?? ''))
  const page = start === -1 ? [] : sorted.slice(start, start + size)
  const more = start !== -1 && start + size < sorted.length
  const next = `<${pathname}?n=${size}&last=${encodeURIComponent(page.at(-1) ?? '')}>; rel="next"`
  return jsonPlan(200, list(page), more ? { link: next } : {})
}

function unknown(code: string): Plan {
  return jsonPlan(404, { errors: [{ code, message: code.toLowerCase().replace('_', ' ') }] })
}
