import type { BearerTokens, Realm } from './bearer-tokens.ts'
import { BoundedMap } from './bounded-map.ts'
import type { Challenge } from './challenge.ts'
import type { Credentials } from './credentials.ts'
import { basicAuthorization, type Login } from './login.ts'
import { isSecureEnough, mayHaveCredentials, type RealmRule } from './token-realm.ts'
import { UpstreamFailure } from './upstream.ts'
import { widenedScope } from './scope.ts'

/** What is shown of us in a request. */
export type Shown =
  | { readonly kind: 'login'; readonly authorization: string; readonly login: Login }
  | { readonly kind: 'token'; readonly authorization: string; readonly token: string }

interface Options extends RealmRule {
  readonly enableTokenAuthentication: boolean
}

const maxScopes = 10_000

/** Remembers how the upstream wants us to authenticate, so that it need not say so each time. */
export class Authentication {
  readonly #credentials: Credentials
  readonly #tokens: BearerTokens
  readonly #options: Options
  #way: { readonly kind: 'login' } | { readonly kind: 'token'; readonly realm: Realm } | undefined
  /** By the scope that we would ask for: those that the upstream asks for in its place. */
  readonly #scopes = new BoundedMap<string>(maxScopes)

  constructor(credentials: Credentials, tokens: BearerTokens, options: Options) {
    this.#credentials = credentials
    this.#tokens = tokens
    this.#options = options
    // Whoever gives no tokens is shown the password without being asked.
    this.#way = options.enableTokenAuthentication ? undefined : { kind: 'login' }
  }

  /** What to show at first; undefined: nothing. Rejects with an UpstreamFailure. */
  async first(scope: string): Promise<Shown | undefined> {
    switch (this.#way?.kind) {
      case 'login':
        return shownLogin(await this.#credentials.current())
      case 'token':
        return shownToken(await this.#tokens.get(this.#way.realm, this.#scopes.get(scope) ?? scope))
      case undefined:
        return undefined
    }
  }

  /** What to show after a 401 to `before`; undefined when there is nothing better. Rejects with an UpstreamFailure. */
  async after(challenges: readonly Challenge[], scope: string, before: Shown | undefined): Promise<Shown | undefined> {
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer')
    if (bearer && this.#options.enableTokenAuthentication) return await this.#tokenFor(bearer, scope, before)
    if (challenges.some(({ scheme }) => scheme === 'basic')) return await this.#login(before)
    if (bearer) throw this.#refused('asks for a token, and enableTokenAuthentication is off')
    return undefined
  }

  async #tokenFor({ parameters }: Challenge, scope: string, before: Shown | undefined): Promise<Shown> {
    const realm = { url: this.#realmUrl(parameters.get('realm')), service: parameters.get('service') }
    await this.#refuseForeignRealm(realm.url)
    this.#way = { kind: 'token', realm }
    const wanted = widenedScope(scope, parameters.get('scope'))
    if (wanted === scope) this.#scopes.delete(scope)
    else this.#scopes.set(scope, wanted)
    return shownToken(await this.#tokens.get(realm, wanted, before?.kind === 'token' ? before.token : undefined))
  }

  async #login(before: Shown | undefined): Promise<Shown | undefined> {
    this.#way = { kind: 'login' }
    const login =
      before?.kind === 'login' ? await this.#credentials.renew(before.login) : await this.#credentials.current()
    if (login?.kind === 'identity token')
      throw this.#refused('asks for a user name and password, and we have an identity token')
    return shownLogin(login)
  }

  #realmUrl(realm: string | undefined): URL {
    if (realm !== undefined && URL.canParse(realm)) return new URL(realm)
    throw new UpstreamFailure('wrong', `${this.#options.upstream.origin} asks for a token without saying whose`)
  }

  async #refuseForeignRealm(realm: URL): Promise<void> {
    const { upstream } = this.#options
    if (!isSecureEnough(realm, upstream) || realm.username !== '' || realm.password !== '')
      throw this.#refused(`asks for tokens of ${realm.origin}, which is not https`)
    if (mayHaveCredentials(realm, this.#options) || (await this.#credentials.current()) === undefined) return
    throw this.#refused(
      `asks for tokens of ${realm.host}, which is of another domain and is not shown our credentials: if it may see them, name it in tokenRealms`,
    )
  }

  #refused(what: string): UpstreamFailure {
    return new UpstreamFailure('refused', `${this.#options.upstream.origin} ${what}`)
  }
}

function shownLogin(login: Login | undefined): Shown | undefined {
  return login?.kind === 'password' ? { kind: 'login', authorization: basicAuthorization(login), login } : undefined
}

function shownToken(token: string): Shown {
  return { kind: 'token', authorization: `Bearer ${token}`, token }
}
