import type { Fault } from './upstream/faults.ts'
import { FaultSwitches } from './upstream/fault-switches.ts'
import { jsonPlan, type Plan } from './upstream/plan.ts'
import { TestListener, type ListenerOptions, type SeenRequest } from './upstream/test-listener.ts'
import { basic, TestTokenServer, type TokenServerOptions } from './upstream/test-token-server.ts'
import { askedFor, rightAnswer, type RequestKind } from './upstream/upstream-answers.ts'
import { UpstreamContent } from './upstream/upstream-content.ts'

export interface FaultyUpstreamOptions extends ListenerOptions {
  /** Entries of a page of tags or of the catalog. */
  readonly pageSize?: number
  /** Asks for this login at each request. */
  readonly login?: { readonly username: string; readonly password: string }
  /** Asks for tokens, which a server of its own gives. */
  readonly tokens?: TokenServerOptions
}

/**
 * A small real registry, read-only, that can be made to fail in every way. Its other listener, `elsewhere`, serves the same content
 * to anybody: redirects may lead there.
 */
export class FaultyUpstream implements AsyncDisposable {
  readonly content = new UpstreamContent()
  readonly #faults = new FaultSwitches<RequestKind | 'elsewhere'>()
  readonly #options: FaultyUpstreamOptions
  readonly #open = new AsyncDisposableStack()
  #listener: TestListener | undefined = undefined
  #elsewhere: TestListener | undefined = undefined
  #tokens: TestTokenServer | undefined = undefined

  private constructor(options: FaultyUpstreamOptions) {
    this.#options = options
  }

  static async start(options: FaultyUpstreamOptions = {}): Promise<FaultyUpstream> {
    const upstream = new FaultyUpstream(options)
    const open = upstream.#open
    upstream.#listener = open.use(await TestListener.open(options, (request) => upstream.#answer(request)))
    upstream.#elsewhere = open.use(await TestListener.open(options, (request) => upstream.#answerElsewhere(request)))
    if (options.tokens) upstream.#tokens = open.use(await TestTokenServer.open(options.tokens))
    return upstream
  }

  get listener(): TestListener {
    return present(this.#listener)
  }

  get elsewhere(): TestListener {
    return present(this.#elsewhere)
  }

  /** Only with the option `tokens`. */
  get tokens(): TestTokenServer {
    return present(this.#tokens)
  }

  get url(): string {
    return this.listener.url
  }

  get requests(): readonly SeenRequest[] {
    return this.listener.requests
  }

  /** How many requests of this kind and method came, whatever was answered. */
  count(method: string, kind: RequestKind): number {
    return this.requests.filter((request) => request.method === method && askedFor(request.url).kind === kind).length
  }

  /** Each answer to this kind of request from now on, or only the next `times`; several faults come together. */
  break(kind: RequestKind | 'elsewhere', fault: Fault, times?: number): void {
    this.#faults.break(kind, fault, times)
  }

  heal(): void {
    this.#faults.heal()
  }

  /** Down: connections are refused until it starts again, on the same port. */
  async stop(): Promise<void> {
    await this.listener.stop()
  }

  async start(): Promise<void> {
    await this.listener.start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open.disposeAsync()
  }

  #answer(request: SeenRequest): Plan {
    const right = this.#challenge(request) ?? this.#right(request)
    return this.#spoil(askedFor(request.url).kind, right, request)
  }

  #answerElsewhere(request: SeenRequest): Plan {
    return this.#spoil('elsewhere', this.#right(request), request)
  }

  #right(request: SeenRequest): Plan {
    return rightAnswer(this.content, request, this.#options.pageSize ?? 1000)
  }

  #spoil(kind: RequestKind | 'elsewhere', right: Plan, { url }: SeenRequest): Plan {
    return this.#faults.take(kind).reduce((answer, fault) => fault(answer, url), right)
  }

  /** Undefined when the request may pass. */
  #challenge({ url, headers: { authorization } }: SeenRequest): Plan | undefined {
    const { login } = this.#options
    if (login && authorization !== basic(login)) return unauthorized('Basic realm="upstream"')
    if (!this.#tokens) return undefined
    const { kind, image } = askedFor(url)
    const scope = kind === 'ping' ? '' : kind === 'catalog' ? 'registry:catalog:*' : `repository:${image}:pull`
    if (this.#tokens.accepts(authorization, scope)) return undefined
    const wanted = scope === '' ? '' : `,scope="${scope}"`
    return unauthorized(`Bearer realm="${this.#tokens.realm}",service="upstream"${wanted}`)
  }
}

function unauthorized(challenge: string): Plan {
  const errors = [{ code: 'UNAUTHORIZED', message: 'authentication required' }]
  return jsonPlan(401, { errors }, { 'www-authenticate': challenge })
}

function present<value>(it: value | undefined): value {
  if (it === undefined) throw new Error('the upstream was not started with that')
  return it
}
