import { FaultSwitches } from './fault-switches.ts'
import { jsonPlan, type Plan } from './plan.ts'
import { TestListener, type ListenerOptions, type SeenRequest } from './test-listener.ts'

export interface TokenServerOptions extends ListenerOptions {
  /** Who is given tokens; undefined: anybody. */
  readonly login?: { readonly username: string; readonly password: string }
  /** Good for an OAuth2 refresh. */
  readonly identityToken?: string
  /** What it says how long its tokens are good. Default: nothing. */
  readonly expiresIn?: number
}

/** Gives bearer tokens that are good until they are made to expire. */
export class TestTokenServer implements AsyncDisposable {
  readonly listener: TestListener
  readonly faults = new FaultSwitches<'token'>()
  readonly #scopes: Map<string, string>

  private constructor(listener: TestListener, scopes: Map<string, string>) {
    this.listener = listener
    this.#scopes = scopes
  }

  static async open(options: TokenServerOptions): Promise<TestTokenServer> {
    const scopes = new Map<string, string>()
    const running: { server?: TestTokenServer } = {}
    const listener = await TestListener.open(options, (request) => {
      const faults = running.server?.faults.take('token') ?? []
      return faults.reduce((answer, fault) => fault(answer, request.url), answerTo(request, options, scopes))
    })
    running.server = new TestTokenServer(listener, scopes)
    return running.server
  }

  get requests(): readonly SeenRequest[] {
    return this.listener.requests
  }

  get realm(): string {
    return `${this.listener.url}/token`
  }

  accepts(authorization: string | undefined, scope: string): boolean {
    const token = /^Bearer (.*)$/.exec(authorization ?? '')?.[1]
    return token !== undefined && this.#scopes.get(token) === scope
  }

  /** No token that was given is good any more. */
  expireAll(): void {
    this.#scopes.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.listener[Symbol.asyncDispose]()
  }
}

let given = 0

function answerTo(request: SeenRequest, options: TokenServerOptions, scopes: Map<string, string>): Plan {
  const { searchParams } = new URL(request.url, 'http://realm')
  const form = new URLSearchParams(request.body)
  const known =
    request.method === 'POST' ? form.get('refresh_token') === options.identityToken : knows(request, options.login)
  if (!known) return jsonPlan(401, { errors: [{ code: 'UNAUTHORIZED', message: 'wrong password' }] })
  const scope = (request.method === 'POST' ? form : searchParams).get('scope') ?? ''
  const token = `token-${++given}`
  scopes.set(token, scope)
  const life = options.expiresIn === undefined ? {} : { expires_in: options.expiresIn }
  return jsonPlan(200, request.method === 'POST' ? { access_token: token, ...life } : { token, ...life })
}

function knows({ headers: { authorization } }: SeenRequest, login: TokenServerOptions['login']): boolean {
  return login === undefined ? authorization === undefined : authorization === basic(login)
}

export function basic({ username, password }: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}
