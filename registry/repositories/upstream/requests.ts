import { Readable } from 'node:stream'
import { isObject, parseJson } from '../../domain/json.ts'
import type { Authentication, Shown } from './authentication.ts'
import { parseChallenges } from './challenge.ts'
import { isQuestion, type Method, type RequestBody } from './connection.ts'
import { IsolatedFailure, withoutQuery, wrong } from './failures.ts'
import { readRetryAfter } from './rate-limit.ts'
import { isSameHost } from './redirects.ts'
import { UpstreamFailure } from './upstream.ts'
import type { Wire } from './wire.ts'
import type { WireAnswer } from './wire-answer.ts'

/** What is asked, or asked for: with a method that changes something, where it lies, since redirects are for questions. */
export interface Question {
  readonly method: Method
  readonly url: URL
  readonly body?: RequestBody
  readonly headers?: Readonly<Record<string, string>>
  /** Statuses, besides 2xx and 404, that tell the caller something. */
  readonly meant?: readonly number[]
  /** The same where redirects have led to another host. */
  readonly meantElsewhere?: readonly number[]
}

const maxToldBytes = 64 * 1024

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
    const isSpent = question.body instanceof Readable
    if (answer.status !== 401 || isSpent || !isSameHost(answer.url, question.url))
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

  async #show({ method, url, headers, body }: Question, shown: Shown | undefined): Promise<WireAnswer> {
    const authorization = shown && { authorization: shown.authorization }
    const exchange = { method, url, headers: { ...headers, ...authorization }, body }
    return isQuestion(method) ? await this.#wire.follow(exchange) : await this.#wire.send(exchange)
  }

  async #usable(answer: WireAnswer, question: Question, shown: Shown | undefined): Promise<WireAnswer> {
    const { status, mediaType } = answer
    const meant = isSameHost(answer.url, question.url) ? question.meant : question.meantElsewhere
    if (status === 404 || meant?.includes(status)) return answer
    const isGood = status >= 200 && status < 300
    if (isGood && !(isQuestion(question.method) && isPage(mediaType))) return answer
    if (!isGood) {
      const told = await this.#told(answer, question)
      throw this.#failure(answer, question, shown, told)
    }
    await answer.discard()
    throw wrong(`${named(question)} is answered with a page for people (${mediaType})`)
  }

  /** What a registry says about why it does not do something; nothing about questions, whose answers are told to others. */
  async #told(answer: WireAnswer, { method }: Question): Promise<string> {
    try {
      if (!isQuestion(method)) return messageIn(await this.read(answer, maxToldBytes))
    } catch (error) {
      // What matters is that it refuses; the reason would have been good to know.
      if (!(error instanceof UpstreamFailure)) throw error
    }
    await answer.discard()
    return ''
  }

  #failure(answer: WireAnswer, question: Question, shown: Shown | undefined, told = ''): UpstreamFailure {
    const { status, url } = answer
    const isElsewhere = !isSameHost(url, question.url)
    const reason = `it answered with ${status}`
    const message = `${named(question)} is answered with ${status}${isElsewhere ? ` by ${url.host}` : ''}${told}`
    const retryAfterSeconds = readRetryAfter(answer.header('retry-after'), this.#wire.now())
    if (status === 401 || status === 403)
      return new UpstreamFailure('refused', `${message}, ${shown && !isElsewhere ? 'with' : 'without'} credentials`)
    if (status === 429 || (status === 503 && retryAfterSeconds !== undefined))
      return new UpstreamFailure('limited', message, { retryAfterSeconds, reason })
    return status >= 500 ? new IsolatedFailure('unreachable', message, { reason }) : wrong(message)
  }
}

/** OCI distribution 1.1, "Error Codes". */
function messageIn(bytes: Uint8Array): string {
  const parsed = parseJson(bytes)
  const errors = 'value' in parsed && isObject(parsed.value) ? parsed.value.errors : undefined
  const [first] = Array.isArray(errors) ? (errors as readonly unknown[]) : []
  if (!isObject(first)) return ''
  const words = [first.code, first.message].filter((text) => typeof text === 'string')
  return words.length === 0 ? '' : ` (${words.join(': ')})`
}

export function named({ method, url }: Question): string {
  return `${method} ${withoutQuery(url)}`
}

function isPage(mediaType: string | undefined): boolean {
  return mediaType === 'text/html' || mediaType === 'application/xhtml+xml'
}
