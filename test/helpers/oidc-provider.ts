import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Provider } from 'oidc-provider'
import { freePort } from './free-port.ts'

/** A real OpenID provider. Whoever is in `accounts` can log in, with any password. */
export interface OidcProvider extends AsyncDisposable {
  readonly issuer: string
  /** Goes through the pages of the provider like a person with a browser. The URL that the provider sends them back to. */
  logIn(location: string, account: string): Promise<URL>
  /** As a person who says no. */
  refuse(location: string): Promise<URL>
}

export interface ProviderOptions {
  readonly redirectUris: string[]
  /** Claims by account. */
  readonly accounts: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** Whether it tells them only when it is asked for them, and not in the ID token. */
  readonly claimsApart?: boolean
  /** Undefined: a public client. */
  readonly clientSecret?: string
}

export const clientId = 'caisson'

export async function startOidcProvider(options: ProviderOptions): Promise<OidcProvider> {
  const issuer = `http://127.0.0.1:${await freePort()}`
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: clientId,
        redirect_uris: options.redirectUris,
        ...(options.clientSecret === undefined
          ? { token_endpoint_auth_method: 'none' }
          : { client_secret: options.clientSecret }),
      },
    ],
    claims: { openid: ['sub'], profile: ['preferred_username', 'groups'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: options.claimsApart ?? false,
    cookies: { keys: ['a key for cookies'] },
    pkce: { required: () => true },
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
    findAccount: (_ctx, sub) => {
      const claims = options.accounts[sub]
      return claims && { accountId: sub, claims: () => ({ sub, ...claims }) }
    },
  })
  const answer = provider.callback()
  const server = createServer((request, response) => void answer(request, response))
  server.listen(Number(new URL(issuer).port), '127.0.0.1')
  await once(server, 'listening')
  return {
    issuer,
    logIn: (location, account) => new Person(issuer).logIn(location, account),
    refuse: (location) => new Person(issuer).refuse(location),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** One browser, whose cookies are those of the provider alone. */
class Person {
  readonly #issuer: string
  readonly #cookies = new Map<string, string>()
  constructor(issuer: string) {
    this.#issuer = issuer
  }

  async logIn(location: string, account: string): Promise<URL> {
    const asked = await this.#go(location)
    const known = await this.#go(asked, { prompt: 'login', login: account, password: 'any' })
    return new URL(await this.#go(await this.#go(known), { prompt: 'consent' }).then((back) => this.#go(back)))
  }

  async refuse(location: string): Promise<URL> {
    return new URL(await this.#go(await this.#go(`${await this.#go(location)}/abort`)))
  }

  /** Where the provider sends the browser next. */
  async #go(location: string, form?: Readonly<Record<string, string>>): Promise<string> {
    const url = new URL(location, this.#issuer)
    assert.equal(url.origin, this.#issuer)
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form ? { method: 'POST', body: new URLSearchParams(form) } : {}),
    })
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
      this.#cookies.set(name, value)
    }
    const next = answer.headers.get('location')
    assert.ok(next, `${url.pathname} answers ${answer.status}: ${await answer.text()}`)
    return next
  }
}
