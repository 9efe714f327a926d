import type { Readable } from 'node:stream'
import type { Authentication, Shown } from './authentication.ts'
import { parseChallenges } from './challenge.ts'
import { IsolatedFailure, withoutQuery, wrong } from './failures.ts'
import { readRetryAfter } from './rate-limit.ts'
import { isSameHost } from './redirects.ts'
import { UpstreamFailure } from './upstream.ts'
import type { Wire } from './wire.ts'
import type { WireAnswer } from './wire-answer.ts'

export interface Question {
  readonly method: 'GET' | 'HEAD'
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  /** Statuses, besides 2xx and 404, that tell the caller something. */
  readonly meant?: readonly number[]
  /** The same where redirects have led to another host. */
  readonly meantElsewhere?: readonly number[]
}

/** Questions whose answers are of use: 2xx, 404, and what the caller means; the others become an UpstreamFailure. */
export class Requests {
  readonly #wire: Wire
  readonly #authentication: Authentication

  constructor(wire: Wire, authentication: Authentication) {
    this.#wire = wire
    this.#authentication = authentication
  }

  /** `scope`: what must be allowed to us there. */
  async ask(question: Question, scope: string): Promise<WireAnswer> {
    const shown = await this.#authentication.first(scope)
    const answer = await this.#show(question, shown)
    if (answer.status !== 401 || !isSameHost(answer.url, question.url))
      return await this.#usable(answer, question, shown)
    await answer.discard()
    const challenges = parseChallenges(answer.header('www-authenticate'))
    const better = await this.#authentication.after(challenges, scope, shown)
    if (!better) throw this.#failure(answer, question, shown)
    return await this.#usable(await this.#show(question, better), question, better)
  }

  /** Without credentials, wherever it is. */
  async askAnonymously(question: Question): Promise<WireAnswer> {
    return await this.#usable(await this.#show(question, undefined), question, undefined)
  }

  /** See {@link Wire.body}. */
  body(answer: WireAnswer, length?: number): Readable {
    return this.#wire.body(answer, length)
  }

  /** See {@link Wire.read}. */
  async read(answer: WireAnswer, maxBytes: number): Promise<Uint8Array> {
    return await this.#wire.read(answer, maxBytes)
  }

  async #show({ method, url, headers }: Question, shown: Shown | undefined): Promise<WireAnswer> {
    const authorization = shown && { authorization: shown.authorization }
    return await this.#wire.follow({ method, url, headers: { ...headers, ...authorization } })
  }

  async #usable(answer: WireAnswer, question: Question, shown: Shown | undefined): Promise<WireAnswer> {
    const { status, mediaType } = answer
    const meant = isSameHost(answer.url, question.url) ? question.meant : question.meantElsewhere
    if (status === 404 || meant?.includes(status)) return answer
    const isGood = status >= 200 && status < 300
    if (isGood && !isPage(mediaType)) return answer
    await answer.discard()
    if (!isGood) throw this.#failure(answer, question, shown)
    throw wrong(`${named(question)} is answered with a page for people (${mediaType})`)
  }

  #failure(answer: WireAnswer, question: Question, shown: Shown | undefined): UpstreamFailure {
    const { status, url } = answer
    const isElsewhere = !isSameHost(url, question.url)
    const reason = `it answered with ${status}`
    const message = `${named(question)} is answered with ${status}${isElsewhere ? ` by ${url.host}` : ''}`
    const retryAfterSeconds = readRetryAfter(answer.header('retry-after'), this.#wire.now())
    if (status === 401 || status === 403)
      return new UpstreamFailure('refused', `${message}, ${shown && !isElsewhere ? 'with' : 'without'} credentials`)
    if (status === 429 || (status === 503 && retryAfterSeconds !== undefined))
      return new UpstreamFailure('limited', message, { retryAfterSeconds, reason })
    return status >= 500 ? new IsolatedFailure('unreachable', message, { reason }) : wrong(message)
  }
}

export function named({ method, url }: Question): string {
  return `${method} ${withoutQuery(url)}`
}

function isPage(mediaType: string | undefined): boolean {
  return mediaType === 'text/html' || mediaType === 'application/xhtml+xml'
}
