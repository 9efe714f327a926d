export interface RateLimit {
  readonly limit: number
  readonly remaining: number
}

const maxDelaySeconds = 86_400

/** Docker Hub's `ratelimit-limit: 100;w=21600` and `ratelimit-remaining: 76;w=21600`. */
export function readRateLimit(limit: string | undefined, remaining: string | undefined): RateLimit | undefined {
  const [most, left] = [leadingNumber(limit), leadingNumber(remaining)]
  return most === undefined || left === undefined ? undefined : { limit: most, remaining: left }
}

/** RFC 9110 §10.2.3: seconds, or a date. At most a day; undefined when there is none, or none that can be understood. */
export function readRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined
  const seconds = /^\d{1,10}$/.test(header.trim()) ? Number(header) : Math.ceil((Date.parse(header) - now) / 1000)
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(seconds, 0), maxDelaySeconds)
}

function leadingNumber(header: string | undefined): number | undefined {
  const [, digits] = /^\s*(\d{1,15})\s*(?:[;,]|$)/.exec(header ?? '') ?? []
  return digits === undefined ? undefined : Number(digits)
}
