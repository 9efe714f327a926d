import type { Refusal } from './refusal.ts'
import type { Upstream } from './upstream.ts'

/** What connecting fails with when there is nobody, or no way there. */
const notThere: ReadonlySet<string | undefined> = new Set([
  'ENOENT',
  'ECONNREFUSED',
  'EACCES',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'ECONNECT_TIMEOUT',
])

/** The upstream gave no answer: 503 when it cannot be reached, 502 when it broke off. */
export function noAnswer(upstream: Upstream, error?: NodeJS.ErrnoException): Refusal {
  return notThere.has(error?.code)
    ? unavailable(503, `the registry at ${upstream.name} is not running or cannot be reached`)
    : unavailable(502, `the registry at ${upstream.name} broke off without an answer`)
}

/** The upstream gave a part of an answer of which nothing was passed on yet. */
export const brokenAnswer: Refusal = unavailable(502, 'the registry broke off within its answer')

function unavailable(status: number, message: string): Refusal {
  return { status, code: 'UNAVAILABLE', message, headers: ['Retry-After', '5'] }
}
