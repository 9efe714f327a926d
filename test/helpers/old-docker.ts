import {
  BrokenOff,
  OldDockerSession,
  type Call,
  type Exchange,
  type Login,
  type OldRegistry,
  type OldVersion,
} from './old-docker-session.ts'
import type { OldImage } from './old-image.ts'
import type { RawAnswer } from './raw-connection.ts'

export interface PulledImage {
  readonly id: string
  readonly json: Buffer
  readonly layer: Buffer
}

interface Found {
  readonly name: string
  readonly description: string
}

export interface PushOptions {
  /** The checksums that are sent in place of the image's own. */
  readonly checksums?: OldImage['checksums']
  /** The layer of this image is broken off after so many bytes. */
  readonly breakOff?: { readonly image: string; readonly after: number }
}

/** An answer that ends the command. */
export class OldDockerError extends Error {
  readonly status: number
  readonly body: string
  constructor(call: string, { status, body }: RawAnswer) {
    super(`${call} was answered ${status}: ${body.toString()}`)
    this.status = status
    this.body = body.toString()
  }
}

/**
 * The daemon of docker 1.5.0 or 1.9.1, as far as a registry sees it: the same requests in the same order with the same headers, as recorded
 * from these two. `localhost` and all names below it, and every other name, are the loopback address.
 */
export class OldDocker {
  readonly version: OldVersion
  readonly #where: OldRegistry
  #login: Login | undefined
  #session: OldDockerSession

  constructor(version: OldVersion, where: OldRegistry, login?: Login) {
    this.version = version
    this.#where = where
    this.#login = login
    this.#session = this.#begin()
  }

  /** Of the last command. */
  get traffic(): readonly Exchange[] {
    return this.#session.traffic
  }

  /** `docker login`: resolves with what it prints, and keeps a login that succeeded. */
  async login(login: Login, email = 'someone@example.com'): Promise<string> {
    const session = (this.#session = this.#begin())
    await this.#ping('/v2/', '/v1/_ping')
    if (session.findsV2) throw new Error('docker logs in by the V2 API where it finds one')
    const body = JSON.stringify({ username: login.name, password: login.password, auth: '', email })
    const registered = await session.register(body)
    if (registered.status === 201) return 'Account created.'
    const known = registered.status === 400 && registered.body.toString() === '"Username or email already exists"'
    if (registered.status !== 401 && !known)
      return `Unexpected status code [${registered.status}] : ${registered.body.toString()}`
    const { status } = await session.checkLogin(login)
    if (status === 200) this.#login = login
    return status === 200 ? 'Login Succeeded' : (refusals.get(status) ?? `Unexpected status code [${status}]`)
  }

  /** `docker push` of an image name with all its tags: tag to id; images base first. */
  async push(
    image: string,
    images: readonly OldImage[],
    tags: Readonly<Record<string, string>>,
    options: PushOptions = {},
  ): Promise<void> {
    await this.#find()
    if (this.#session.findsV2) throw new Error('docker pushes by the V2 API where it finds one')
    const tagsOf = (id: string) => Object.keys(tags).filter((tag) => tags[tag] === id)
    const list = images.flatMap(({ id }) => {
      const named = tagsOf(id).map((tag) => ({ id, Tag: tag }))
      return named.length > 0 ? named : [{ id }]
    })
    const announced = await this.#index({
      method: 'PUT',
      path: `/v1/repositories/${image}/`,
      headers: { 'Content-type': 'application/json' },
      body: JSON.stringify(list),
    })
    this.#expect(announced, 'x-docker-endpoints')
    const endpoint = announced.header('x-docker-endpoints')
    if (endpoint !== this.#where.registry)
      throw new Error(`docker would go on at ${endpoint}, which is another registry`)
    if (this.version === '1.5') this.#expect(announced, 'x-docker-token')
    const there = await this.#present(images)
    for (const one of images) {
      if (!there.has(one.id)) await this.#pushImage(one, options)
      for (const tag of tagsOf(one.id)) await this.#putTag(image, tag, one.id)
    }
    await this.#index(
      {
        method: 'PUT',
        path: `/v1/repositories/${image}/images`,
        headers: { 'Content-type': 'application/json', 'X-Docker-Endpoints': `${this.#origin}/v1/` },
        body: '[]',
      },
      [204],
    )
  }

  /**
   * `docker pull`, where there is nothing of that name by the V2 API: the images that the tag leads to, base first. With `breakLayersAfter`, each layer breaks off there and is gone on with; `has`
   * are the ids that the daemon has already.
   */
  async pull(
    image: string,
    tag: string,
    { breakLayersAfter, has = [] }: { readonly breakLayersAfter?: number; readonly has?: readonly string[] } = {},
  ): Promise<readonly PulledImage[]> {
    await this.#find()
    await this.#index({ path: `/v1/repositories/${image}/images` })
    const id = await this.#resolve(image, tag)
    const ancestry = (await this.#registry({ path: `/v1/images/${id}/ancestry` })).json() as readonly string[]
    const pulled: PulledImage[] = []
    for (const one of ancestry.toReversed()) {
      if (!has.includes(one)) pulled.push(await this.#pullImage(one, breakLayersAfter))
    }
    return pulled
  }

  /** `docker search registry/term`. Docker 1.5 looks up no password for it. */
  async search(term: string): Promise<readonly Found[]> {
    this.#session = new OldDockerSession(this.version, this.#where, this.version === '1.5' ? undefined : this.#login)
    await this.#ping('/v2/', '/v1/_ping', ...(this.#secure ? (['/v1/_ping'] as const) : []))
    const answer = await this.#index({ path: `/v1/search?q=${encodeURIComponent(term)}` })
    return (answer.json() as { readonly results: readonly Found[] }).results
  }

  #begin(): OldDockerSession {
    return new OldDockerSession(this.version, this.#where, this.#login)
  }

  get #secure(): boolean {
    return this.#where.authority !== undefined
  }

  get #origin(): string {
    return `${this.#secure ? 'https' : 'http'}://${this.#where.registry}`
  }

  /** Docker 1.9 tries the V2 API first and begins anew with the V1 API, where it trusts plain http without asking. */
  async #find(): Promise<void> {
    this.#session = this.#begin()
    if (this.version === '1.5') await this.#ping('/v2/', '/v1/_ping', ...(this.#secure ? (['/v1/_ping'] as const) : []))
    else await this.#ping('/v2/', ...(this.#secure ? (['/v2/', '/v1/_ping'] as const) : []))
  }

  async #ping(...paths: readonly ('/v2/' | '/v1/_ping')[]): Promise<void> {
    for (const path of paths) {
      const answer = await this.#session.probe(path)
      if (answer.header('docker-distribution-api-version') === 'registry/2.0') this.#session.findsV2 = true
      const standalone = path === '/v1/_ping' ? answer.header('x-docker-registry-standalone') : undefined
      if (standalone !== undefined) this.#session.standalone = /^(?:true|1)$/i.test(standalone)
    }
  }

  /** Of the images, by the five at once. */
  async #present(images: readonly OldImage[]): Promise<ReadonlySet<string>> {
    const there = new Set<string>()
    const waiting = images.map(({ id }) => id)
    const worker = async () => {
      for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
        const { status } = await this.#session.registry({ path: `/v1/images/${id}/json` })
        if (status === 200) there.add(id)
      }
    }
    await Promise.all(Array.from({ length: 5 }, worker))
    return there
  }

  async #pushImage({ id, json, layer, checksums }: OldImage, options: PushOptions): Promise<void> {
    const path = `/v1/images/${id}`
    const described = await this.#session.registry({
      method: 'PUT',
      path: `${path}/json`,
      headers: { 'Content-Type': 'application/json' },
      body: json,
    })
    if (isThere(described)) return
    this.#refuse('PUT json', described, [200])
    const breakAfter = options.breakOff?.image === id ? options.breakOff.after : undefined
    await this.#registry({
      method: 'PUT',
      path: `${path}/layer`,
      headers: { 'Content-Type': 'application/octet-stream' },
      body: layer,
      chunked: { breakAfter },
    })
    const { tarsum, payload } = options.checksums ?? checksums
    const headers = { 'X-Docker-Checksum': tarsum, 'X-Docker-Checksum-Payload': payload }
    const summed = await this.#session.registry({ method: 'PUT', path: `${path}/checksum`, headers })
    if (!isThere(summed)) this.#refuse('PUT checksum', summed, [200])
  }

  async #putTag(image: string, tag: string, id: string): Promise<void> {
    const headers = { 'Content-Type': 'application/json' }
    const path = `/v1/repositories/${image}/tags/${tag}`
    await this.#registry({ method: 'PUT', path, headers, body: JSON.stringify(id) }, [200, 201])
  }

  /** A name without a slash is below `library/` here, and only here. */
  async #resolve(image: string, tag: string): Promise<string> {
    const path = `/v1/repositories/${image.includes('/') ? image : `library/${image}`}/tags`
    if (this.version === '1.9') return (await this.#registry({ path: `${path}/${tag}` })).json() as string
    const id = ((await this.#registry({ path })).json() as Record<string, string>)[tag]
    if (id === undefined) throw new Error(`Tag ${tag} not found in repository ${image}`)
    return id
  }

  async #pullImage(id: string, breakAfter: number | undefined): Promise<PulledImage> {
    const described = await this.#registry({ path: `/v1/images/${id}/json` })
    const size = Number(described.header('x-docker-size'))
    return { id, json: described.body, layer: await this.#pullLayer(`/v1/images/${id}/layer`, size, breakAfter) }
  }

  /** Docker 1.5, pkg/httputils/resumablerequestreader.go; the end of its range is one beyond the last byte. */
  async #pullLayer(path: string, size: number, breakAfter: number | undefined): Promise<Buffer> {
    try {
      const answer = await this.#registry({ path, readUpTo: breakAfter })
      return answer.body
    } catch (error) {
      if (!(error instanceof BrokenOff)) throw error
      const headers = { Range: `bytes=${error.received.length}-${size}` }
      const rest = await this.#session.registry({ path, headers })
      if (rest.status === 416 && rest.header('content-length') === '0' && error.received.length === size)
        return error.received
      this.#refuse(path, rest, [206])
      return Buffer.concat([error.received, rest.body])
    }
  }

  async #index(call: Call, expected: readonly number[] = [200, 201]): Promise<RawAnswer> {
    return this.#refuse(call.path, await this.#session.index(call), expected)
  }

  async #registry(call: Call, expected: readonly number[] = [200]): Promise<RawAnswer> {
    return this.#refuse(call.path, await this.#session.registry(call), expected)
  }

  #refuse(call: string, answer: RawAnswer, expected: readonly number[]): RawAnswer {
    if (!expected.includes(answer.status)) throw new OldDockerError(call, answer)
    return answer
  }

  #expect(answer: RawAnswer, header: string): void {
    if (answer.header(header) === undefined) throw new Error(`Index response didn't contain ${header}`)
  }
}

const refusals = new Map([
  [401, 'Wrong login/password, please try again'],
  [403, 'Login: Account is not Active.'],
])

/** The one text that docker looks for. */
function isThere({ status, body }: RawAnswer): boolean {
  if (status === 200) return false
  try {
    return (JSON.parse(body.toString()) as { readonly error?: unknown }).error === 'Image already exists'
  } catch {
    return false
  }
}
