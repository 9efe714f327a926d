import type { Readable } from 'node:stream'
import { isObject, parseJson } from '../../registry/domain/json.ts'
import type { ImageName } from '../../registry/domain/names.ts'
import type { RequestBody } from '../../registry/repositories/upstream/connection.ts'
import { withoutQuery } from '../../registry/repositories/upstream/failures.ts'
import { basicAuthorization, type Login } from '../../registry/repositories/upstream/login.ts'
import type { OpenRequests } from '../../registry/repositories/upstream/open-requests.ts'
import { readRetryAfter } from '../../registry/repositories/upstream/rate-limit.ts'
import { UpstreamFailure } from '../../registry/repositories/upstream/upstream.ts'
import type { WireAnswer } from '../../registry/repositories/upstream/wire-answer.ts'

const maxToldBytes = 64 * 1024

/** What is put, and where below `/v1/`. */
export interface V1Put {
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: RequestBody
}

/** What became of it; `told` is what the registry says about it. */
export interface V1Outcome {
  readonly status: number
  readonly told: string | undefined
  readonly failure: UpstreamFailure | undefined
}

interface Ping {
  readonly status: number
  readonly standalone: string | undefined
}

/**
 * Requests to a registry of the V1 API: one that stands alone, and is shown the password with each of them, or one with an index, which alone is
 * shown it, and gives tokens. Each rejects with an UpstreamFailure.
 */
export class V1Requests implements AsyncDisposable {
  readonly name: string
  readonly #open: OpenRequests
  /** Ends with /v1/. */
  readonly #base: URL
  readonly #login: Extract<Login, { kind: 'password' }> | undefined
  readonly #readTokens = new Map<ImageName, Promise<string | undefined>>()
  readonly #writeTokens = new Map<ImageName, string>()
  #pinged: Promise<Ping> | undefined

  constructor(open: OpenRequests, login: Login | undefined) {
    this.name = open.name
    this.#open = open
    this.#base = new URL(open.base.pathname.replace(/v2\/$/, 'v1/'), open.base)
    this.#login = login?.kind === 'password' ? login : undefined
  }

  /** Undefined for 404. `image`: what it is about, if it is about one. */
  async get(path: string, image: ImageName | undefined): Promise<WireAnswer | undefined> {
    const token = image === undefined ? undefined : await this.#readToken(image)
    const answer = await this.#send('GET', { path }, token ?? this.#basic())
    if (answer.status === 200) return answer
    await answer.discard()
    if (answer.status === 404) return undefined
    throw this.#failure(answer, `GET ${withoutQuery(answer.url)}`, '')
  }

  /** The JSON there; undefined for 404. */
  async getJson(path: string, image: ImageName | undefined, maxBytes: number): Promise<unknown> {
    const answer = await this.get(path, image)
    if (!answer) return undefined
    const parsed = parseJson(await this.read(answer, maxBytes))
    if ('value' in parsed) return parsed.value
    throw new UpstreamFailure('wrong', `${this.name}/v1/${path} is answered with what is no JSON: ${parsed.problem}`)
  }

  async read(answer: WireAnswer, maxBytes: number): Promise<Uint8Array> {
    return await this.#open.wire.read(answer, maxBytes)
  }

  body(answer: WireAnswer): Readable {
    return this.#open.wire.body(answer)
  }

  /** What is about images of this name. It has been asked for leave by {@link putAtIndex}. */
  async put(image: ImageName, put: V1Put): Promise<V1Outcome> {
    return await this.#outcome(await this.#send('PUT', put, await this.#writeToken(image)))
  }

  /** What the index is told, which gives leave to write to images of this name. */
  async putAtIndex(image: ImageName, put: V1Put): Promise<V1Outcome> {
    const headers = { ...put.headers, 'x-docker-token': 'true' }
    const answer = await this.#send('PUT', { ...put, headers }, this.#basic())
    const token = tokenIn(answer)
    if (token !== undefined) this.#writeTokens.set(image, token)
    // Before, it may have known no such name.
    this.#readTokens.delete(image)
    return await this.#outcome(answer)
  }

  /** Throws, saying so, where no registry of the V1 API is, or where it does not know us. */
  async login(): Promise<void> {
    if ((await this.#ping()).status === 404)
      throw new UpstreamFailure(
        'wrong',
        `${this.name}/v1/_ping is answered with 404: no registry of the V1 API is there`,
      )
    if (!this.#login) return
    // Not all of them have users of their own; those that do refuse a wrong password here.
    const answer = await this.#send('GET', { path: 'users/' }, this.#basic())
    await answer.discard()
    if (answer.status === 401 || answer.status === 403) throw this.#failure(answer, `GET ${answer.url.href}`, '')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open.connection[Symbol.asyncDispose]()
  }

  async #send(method: 'GET' | 'PUT', { path, headers, body }: V1Put, authorization?: string): Promise<WireAnswer> {
    const url = new URL(path, this.#base)
    const exchange = { method, url, headers: { ...headers, ...(authorization !== undefined && { authorization }) } }
    return method === 'GET' ? await this.#open.wire.follow(exchange) : await this.#open.wire.send({ ...exchange, body })
  }

  #basic(): string | undefined {
    return this.#login && basicAuthorization(this.#login)
  }

  /** What the index gives for the image; undefined when the registry needs none. */
  async #readToken(image: ImageName): Promise<string | undefined> {
    const known = this.#readTokens.get(image)
    if (known) return await known
    const token = this.#fetchReadToken(image)
    this.#readTokens.set(image, token)
    token.catch(() => this.#readTokens.delete(image))
    return await token
  }

  async #fetchReadToken(image: ImageName): Promise<string | undefined> {
    if (await this.#standsAlone()) return undefined
    const headers = { 'x-docker-token': 'true' }
    const answer = await this.#send('GET', { path: `repositories/${image}/images`, headers }, this.#basic())
    await answer.discard()
    if (answer.status !== 200 && answer.status !== 404)
      throw this.#failure(answer, `GET ${withoutQuery(answer.url)}`, '')
    return tokenIn(answer)
  }

  async #writeToken(image: ImageName): Promise<string | undefined> {
    return (await this.#standsAlone()) ? this.#basic() : (this.#writeTokens.get(image) ?? this.#basic())
  }

  /** As its ping says, or does not say (docker took it for alone then). */
  async #standsAlone(): Promise<boolean> {
    const { standalone } = await this.#ping()
    return standalone === undefined || standalone === '' || /^(true|1)$/i.test(standalone)
  }

  async #ping(): Promise<Ping> {
    if (this.#pinged) return await this.#pinged
    const pinging = this.#askPing()
    this.#pinged = pinging
    pinging.catch(() => (this.#pinged = undefined))
    return await pinging
  }

  async #askPing(): Promise<Ping> {
    const answer = await this.#send('GET', { path: '_ping' })
    await answer.discard()
    return { status: answer.status, standalone: answer.header('x-docker-registry-standalone') }
  }

  async #outcome(answer: WireAnswer): Promise<V1Outcome> {
    const { status } = answer
    const isGood = status >= 200 && status < 300
    if (isGood) await answer.discard()
    const told = isGood ? undefined : errorIn(await this.read(answer, maxToldBytes))
    const reason = told === undefined ? '' : ` (${told})`
    const failure = isGood ? undefined : this.#failure(answer, `PUT ${withoutQuery(answer.url)}`, reason)
    return { status, told, failure }
  }

  #failure(answer: WireAnswer, what: string, told: string): UpstreamFailure {
    const { status } = answer
    const message = `${what} is answered with ${status}${told}`
    if (status === 401 || status === 403)
      return new UpstreamFailure('refused', `${message}, ${this.#login ? 'with' : 'without'} credentials`)
    const retryAfterSeconds = readRetryAfter(answer.header('retry-after'), this.#open.wire.now())
    const kind = status === 429 ? 'limited' : status >= 500 ? 'unreachable' : 'wrong'
    return new UpstreamFailure(kind, message, { retryAfterSeconds })
  }
}

/** docker's own registry says the scheme twice. */
function tokenIn(answer: WireAnswer): string | undefined {
  const token = answer.header('x-docker-token')
  return token === undefined ? undefined : `Token ${token.replace(/^Token /, '')}`
}

/** `{"error":"…"}` */
function errorIn(bytes: Uint8Array): string | undefined {
  const parsed = parseJson(bytes)
  const error = 'value' in parsed && isObject(parsed.value) ? parsed.value.error : undefined
  return typeof error === 'string' ? error : undefined
}
