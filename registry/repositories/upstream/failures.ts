import { UpstreamFailure } from './upstream.ts'

/** Something went wrong with one manifest or blob, which says little about the upstream as a whole. */
export class IsolatedFailure extends UpstreamFailure {}

/** For messages: without the query, where redirects carry signatures. */
export function withoutQuery({ origin, pathname }: URL): string {
  return `${origin}${pathname}`
}

export function wrong(what: string, cause?: unknown): UpstreamFailure {
  return new UpstreamFailure('wrong', what, { cause })
}

const words: Readonly<Record<string, string>> = {
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  ECONNREFUSED: 'the connection is refused',
  ECONNRESET: 'the connection was reset',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'its name cannot be looked up',
}

/** Why a connection failed. */
export function reasonOf(error: unknown): string {
  // Of the addresses of a host, each was tried.
  const [first] = error instanceof AggregateError ? (error.errors as readonly unknown[]) : []
  const one = first ?? error
  if (!(one instanceof Error)) return String(one)
  return words[codeOf(one)] ?? one.message
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
