/** Inclusive at both ends, as on the wire. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/** What a GET or HEAD of immutable bytes is answered with. */
export type Selection =
  | { readonly status: 200 }
  | { readonly status: 206; readonly range: ByteRange }
  | { readonly status: 304 }
  | { readonly status: 412 }
  | { readonly status: 416 }

interface ConditionalHeaders {
  readonly 'if-match'?: string | undefined
  readonly 'if-none-match'?: string | undefined
  readonly 'if-range'?: string | undefined
  readonly range?: string | undefined
}

/**
 * Which part of a representation of `size` bytes, whose strong entity tag is `etag` (with its quotes), the request asks
 * for. One range is served; several, or a unit that is not bytes, are answered with the whole (RFC 9110 §14.2 allows it).
 *
 * Source: RFC 9110 §13.2.2 (order of preconditions), §14.1.2 (byte ranges), §13.1.5 (If-Range).
 */
export function selectBytes(method: string, headers: ConditionalHeaders, etag: string, size: number): Selection {
  const ifMatch = headers['if-match']
  if (ifMatch !== undefined && !lists(ifMatch, etag)) return { status: 412 }
  const ifNoneMatch = headers['if-none-match']
  if (ifNoneMatch !== undefined && lists(ifNoneMatch, etag, 'weakly')) return { status: 304 }
  if (method !== 'GET' || headers.range === undefined) return { status: 200 }
  const ifRange = headers['if-range']
  if (ifRange !== undefined && ifRange.trim() !== etag) return { status: 200 }
  return parseRange(headers.range, size)
}

function lists(field: string, etag: string, comparison?: 'weakly'): boolean {
  if (field.trim() === '*') return true
  return field.split(',').some((listed) => {
    const tag = listed.trim()
    return tag === etag || (comparison === 'weakly' && tag.startsWith('W/') && tag.slice(2) === etag)
  })
}

function parseRange(field: string, size: number): Selection {
  const match = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(field)
  if (!match)
    return /^bytes=[\d\s,-]+,[\d\s,-]*$/i.test(field) || !/^bytes=/i.test(field) ? { status: 200 } : { status: 416 }
  const [, from = '', to = ''] = match
  if (from === '') {
    const suffix = Number(to)
    if (to === '' || suffix === 0 || size === 0) return { status: 416 }
    return { status: 206, range: { first: Math.max(0, size - suffix), last: size - 1 } }
  }
  const first = Number(from)
  const last = to === '' ? size - 1 : Math.min(Number(to), size - 1)
  if (first >= size || first > last || !Number.isSafeInteger(first)) return { status: 416 }
  return { status: 206, range: { first, last } }
}
