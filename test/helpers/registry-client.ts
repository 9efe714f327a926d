import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as requestOverTls, type Agent as TlsAgent } from 'node:https'
import { buffer } from 'node:stream/consumers'
import { z } from 'zod'
import { digestOfBytes, type TinyImage } from './tiny-image.ts'

export interface Login {
  readonly name: string
  readonly password: string
}

export type Where =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number }
  /** Over TLS: the agent knows the authority and the name on the certificate. */
  | { readonly host: string; readonly port: number; readonly agent: TlsAgent }

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  json(): unknown
  /** Code of the error that the body tells, by the JSON error form; undefined without a body. */
  error(): string | undefined
}

export interface Question {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** Instead of a body: sent one by one, without saying how much will come. */
  readonly chunks?: readonly Uint8Array[]
}

const errorForm = z.strictObject({
  errors: z.tuple([z.strictObject({ code: z.string(), message: z.string(), detail: z.unknown().optional() })]),
})

/** A client of the V2 API below one base path. It says what it does to an image; tests of the protocol use `ask`. */
export class RegistryClient {
  readonly #where: Where
  readonly base: string
  readonly #headers: Readonly<Record<string, string>>

  constructor(where: Where, base: string, headers: Readonly<Record<string, string>> = { accept: '*/*' }) {
    this.#where = where
    this.base = base
    this.#headers = headers
  }

  /** Names no media type that it accepts, as docker does not before 1.10. */
  acceptingNothing(): RegistryClient {
    const { accept: _accept, ...headers } = this.#headers
    return new RegistryClient(this.#where, this.base, headers)
  }

  as({ name, password }: Login): RegistryClient {
    return this.with({ authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` })
  }

  withToken(token: string): RegistryClient {
    return this.with({ authorization: `Bearer ${token}` })
  }

  with(headers: Readonly<Record<string, string>>): RegistryClient {
    return new RegistryClient(this.#where, this.base, { ...this.#headers, ...headers })
  }

  at(base: string): RegistryClient {
    return new RegistryClient(this.#where, base, this.#headers)
  }

  over(where: Where): RegistryClient {
    return new RegistryClient(where, this.base, this.#headers)
  }

  /** `target` is a path below the base, a whole path that begins with a slash, or a URL that a `Location` gave. */
  async ask(method: string, target: string, { headers = {}, body, chunks = [] }: Question = {}): Promise<Answer> {
    const path = this.#pathOf(target)
    const sent = ('agent' in this.#where ? requestOverTls : request)({
      agent: new Agent({ keepAlive: false }),
      ...this.#where,
      method,
      path,
      headers: {
        host: 'registry.test',
        ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
        ...this.#headers,
        ...headers,
      },
    })
    for (const chunk of chunks) sent.write(chunk)
    sent.end(body)
    const [message] = (await once(sent, 'response')) as [IncomingMessage]
    return answerOf(message, await buffer(message))
  }

  #pathOf(target: string): string {
    if (/^https?:/.test(target)) return target.slice(new URL(target).origin.length)
    return target.startsWith('/') ? target : `${this.base}/${target}`
  }

  /** URL of a new upload. */
  async beginUpload(image: string): Promise<string> {
    const begun = await this.ask('POST', `${image}/blobs/uploads/`)
    assert.equal(begun.status, 202)
    return locationOf(begun)
  }

  async pushBlob(image: string, bytes: Uint8Array): Promise<string> {
    const digest = digestOfBytes(bytes)
    const upload = await this.beginUpload(image)
    const pushed = await this.ask('PUT', `${upload}${upload.includes('?') ? '&' : '?'}digest=${digest}`, {
      body: bytes,
    })
    assert.equal(pushed.status, 201, pushed.body.toString())
    return digest
  }

  async putManifest(image: string, reference: string, { manifest, mediaType }: TinyImage): Promise<Answer> {
    return await this.ask('PUT', `${image}/manifests/${reference}`, {
      headers: { 'content-type': mediaType },
      body: manifest,
    })
  }

  /** Blobs first, then the manifest under `tag`. */
  async push(image: string, tag: string, content: TinyImage): Promise<void> {
    for (const blob of content.blobs) await this.pushBlob(image, blob)
    const pushed = await this.putManifest(image, tag, content)
    assert.equal(pushed.status, 201, pushed.body.toString())
  }

  /** A token for `scopes`, given to whoever this client is. */
  async token(...scopes: readonly string[]): Promise<string> {
    const query = scopes.map((scope) => `scope=${encodeURIComponent(scope)}`).join('&')
    const answer = await this.ask('GET', `token?service=registry.test&${query}`)
    assert.equal(answer.status, 200, answer.body.toString())
    return z.object({ token: z.string() }).parse(answer.json()).token
  }
}

export function locationOf({ headers: { location } }: Answer): string {
  assert.ok(location !== undefined, 'the answer has no Location')
  return location
}

function answerOf(message: IncomingMessage, body: Buffer): Answer {
  const json = (): unknown => JSON.parse(body.toString())
  const error = () => (body.length === 0 ? undefined : errorForm.parse(json()).errors[0].code)
  return { status: message.statusCode ?? 0, headers: message.headers, body, json, error }
}
