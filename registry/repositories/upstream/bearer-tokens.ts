import { isObject, parseJson } from '../../domain/json.ts'
import { BoundedMap } from './bounded-map.ts'
import type { Credentials } from './credentials.ts'
import { basicAuthorization, type Login } from './login.ts'
import { UpstreamFailure } from './upstream.ts'

/** Where tokens come from, and for whom: distribution's "Token Authentication Specification". */
export interface Realm {
  readonly url: URL
  readonly service: string | undefined
}

/** What the token server says; `bytes` only for 200. Rejects with an UpstreamFailure when it does not answer. */
export interface RealmAnswer {
  readonly status: number
  readonly retryAfterSeconds: number | undefined
  readonly bytes: Uint8Array
}

export interface RealmRequest {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

interface Kept {
  readonly token: string
  readonly until: number
}

/** As the specification says, where the answer says nothing. */
const usualLifeSeconds = 60
const maxLifeSeconds = 86_400
/** How long a realm that has failed is left alone. */
const restMs = 5000
const maxKept = 10_000

/** Tokens by scope, one request for all who want the same. */
export class BearerTokens {
  readonly #ask: (request: RealmRequest) => Promise<RealmAnswer>
  readonly #credentials: Credentials
  readonly #now: () => number
  readonly #kept = new BoundedMap<Kept>(maxKept)
  readonly #flights = new Map<string, Promise<string>>()
  readonly #resting = new BoundedMap<{ readonly failure: UpstreamFailure; readonly until: number }>(maxKept)

  constructor(ask: (request: RealmRequest) => Promise<RealmAnswer>, credentials: Credentials, now: () => number) {
    this.#ask = ask
    this.#credentials = credentials
    this.#now = now
  }

  /** `refused`: a token that is no good any more. Rejects with an UpstreamFailure. */
  async get(realm: Realm, scope: string, refused?: string): Promise<string> {
    const key = `${realm.url.href} ${realm.service ?? ''} ${scope}`
    const kept = this.#kept.get(key)
    if (kept && kept.token !== refused && this.#now() < kept.until) return kept.token
    this.#kept.delete(key)
    const running = this.#flights.get(key)
    if (running) return await running
    const flight = this.#fetch(realm, scope, key).finally(() => this.#flights.delete(key))
    this.#flights.set(key, flight)
    return await flight
  }

  async #fetch(realm: Realm, scope: string, key: string): Promise<string> {
    const place = realm.url.href
    this.#refuseWhileResting(place)
    this.#refuseWhileResting(key)
    try {
      const { token, lifeSeconds } = await this.#fetchAs(await this.#credentials.current(), realm, scope)
      const until = this.#now() + 1000 * (lifeSeconds - Math.min(10, lifeSeconds / 5))
      this.#kept.set(key, { token, until })
      return token
    } catch (error) {
      if (error instanceof UpstreamFailure) this.#rest(error instanceof ScopeRefused ? key : place, error)
      throw error
    }
  }

  #refuseWhileResting(place: string): void {
    const resting = this.#resting.get(place)
    if (!resting) return
    if (this.#now() < resting.until) throw resting.failure
    this.#resting.delete(place)
  }

  #rest(place: string, failure: UpstreamFailure): void {
    const ms = Math.max(restMs, 1000 * (failure.retryAfterSeconds ?? 0))
    this.#resting.set(place, { failure, until: this.#now() + ms })
  }

  async #fetchAs(login: Login | undefined, realm: Realm, scope: string): Promise<Given> {
    const answer = await this.#ask(requestFor(login, realm, scope))
    const other = answer.status === 401 && login ? await this.#credentials.renew(login) : undefined
    return readToken(realm, other ? await this.#ask(requestFor(other, realm, scope)) : answer, login)
  }
}

/** It is this scope that is not for us: what is asked for others may be given. */
class ScopeRefused extends UpstreamFailure {}

interface Given {
  readonly token: string
  readonly lifeSeconds: number
}

function requestFor(login: Login | undefined, { url, service }: Realm, scope: string): RealmRequest {
  const wanted = { ...(service !== undefined && { service }), scope }
  if (login?.kind === 'identity token') {
    const body = { grant_type: 'refresh_token', client_id: 'caisson', ...wanted, refresh_token: login.token }
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    return { method: 'POST', url, headers, body: new URLSearchParams(body).toString() }
  }
  const asked = new URL(url)
  for (const [name, value] of Object.entries(wanted)) asked.searchParams.set(name, value)
  return { method: 'GET', url: asked, headers: login ? { authorization: basicAuthorization(login) } : {} }
}

function readToken({ url }: Realm, { status, bytes, ...answer }: RealmAnswer, login: Login | undefined): Given {
  const realm = `the token realm ${url.origin}${url.pathname}`
  if (status !== 200) throw failureOf(realm, { status, ...answer }, login)
  const parsed = parseJson(bytes)
  const body = 'value' in parsed && isObject(parsed.value) ? parsed.value : {}
  const token = body.token ?? body.access_token
  // RFC 6750 §2.1; anything else could not stand in a header.
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))
    throw new UpstreamFailure('wrong', `${realm} answers without a token`)
  const life = Number(body.expires_in ?? usualLifeSeconds)
  return { token, lifeSeconds: life >= 0 ? Math.min(life, maxLifeSeconds) : usualLifeSeconds }
}

function failureOf(
  realm: string,
  { status, retryAfterSeconds }: Omit<RealmAnswer, 'bytes'>,
  login: Login | undefined,
): UpstreamFailure {
  const message = `${realm} answers with ${status}`
  if (status === 401 && login) return new UpstreamFailure('refused', `${message} to our credentials`)
  if (status === 401 || status === 403)
    return new ScopeRefused('refused', `${message}, ${login ? 'with' : 'without'} credentials`)
  const limited = status === 429 || (status === 503 && retryAfterSeconds !== undefined)
  const kind = limited ? 'limited' : status >= 500 ? 'unreachable' : 'wrong'
  return new UpstreamFailure(kind, message, { retryAfterSeconds, reason: message })
}
