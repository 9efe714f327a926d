import { RegistryError } from '../../domain/errors.ts'
import type { Context } from '../context.ts'

/** More are never in one answer; without `n` these are. */
const maxItems = 10_000

/** What a list is asked for: OCI distribution 1.1, "Listing Tags". */
export interface PageRequest {
  readonly limit: number
  readonly after: string | undefined
}

/** Throws PAGINATION_NUMBER_INVALID. */
export function parsePageRequest(ctx: Context): PageRequest {
  const query = new URLSearchParams(ctx.state.target.query)
  const n = query.get('n')
  if (n !== null && !/^\d{1,15}$/.test(n))
    throw new RegistryError('PAGINATION_NUMBER_INVALID', {
      message: 'the query parameter n is not a number of results',
      detail: { n },
    })
  return { limit: Math.min(n === null ? maxItems : Number(n), maxItems), after: query.get('last') || undefined }
}

/** RFC 8288, as the specification asks for when there is more. */
export function setNextLink(ctx: Context, list: string, limit: number, last: string): void {
  ctx.set('Link', `<${list}?n=${limit}&last=${encodeURIComponent(last)}>; rel="next"`)
}

export function answerJson(ctx: Context, body: object): void {
  ctx.status = 200
  ctx.set('Content-Type', 'application/json')
  ctx.body = JSON.stringify(body)
}
