import type { AuditLog } from '../audit/audit-log.ts'
import { RegistryError } from '../domain/errors.ts'
import { anonymous, type Principal, type UserPrincipal } from '../domain/permissions.ts'
import type { UserRecord } from '../storage/access-store.ts'
import type { AccessTokenService } from './access-tokens.ts'
import { looksLikeAccessToken } from './access-tokens.ts'
import type { AccessAdministration } from './access-administration.ts'
import { parseCredentials } from './credentials.ts'
import type { Directory } from './directory.ts'
import type { LoginAttempts } from './login-attempts.ts'
import type { TokenContents, TokenOwner, Tokens } from './tokens.ts'
import { passwordStamp, type PasswordCheck } from './verified-passwords.ts'

/** Who sent a request, and how that is known. */
export type Caller =
  | { readonly by: 'nothing' }
  /** A password, or an access token, API key or encrypted password in its place. */
  | { readonly by: 'login'; readonly principal: UserPrincipal; readonly owner: TokenOwner; readonly with: LoginMeans }
  /** A token of ours, for docker: good for what it says, and no more than its owner may do. */
  | { readonly by: 'token'; readonly principal: Principal; readonly token: TokenContents }

export type LoginMeans = 'password' | 'session' | 'access' | 'refresh' | 'api key' | 'encrypted password'

export function principalOf(caller: Caller): Principal {
  return caller.by === 'nothing' ? anonymous : caller.principal
}

/** Undefined when nobody has logged in. */
export function userOf(caller: Caller): string | undefined {
  const principal = principalOf(caller)
  return principal.kind === 'user' ? principal.name : undefined
}

/** What a request shows, and where it comes from. */
export interface Shown {
  readonly authorization: string | undefined
  /** Artifactory's header `X-JFrog-Art-Api`. */
  readonly apiKey?: string | undefined
  /** Asked only when somebody will have to answer for it. */
  readonly from: () => Origin
}

export interface Origin {
  readonly address: string | undefined
  readonly requestId: string | undefined
}

export type Login = Extract<Caller, { by: 'login' }>

export interface Identities {
  /** Throws UNAUTHORIZED for credentials that are wrong, TOOMANYREQUESTS after many such. */
  authenticate(shown: Shown): Promise<Caller>
  /** Throws as {@link Identities.authenticate} does. */
  login(name: string, password: string, from: () => Origin): Promise<Login>
  /** The owner of a refresh token. Undefined: it is none, or has ended. */
  refresh(token: string): Promise<Login | undefined>
}

interface Parts {
  readonly directory: Directory
  readonly administration: AccessAdministration
  readonly passwords: PasswordCheck
  readonly accessTokens: AccessTokenService
  readonly tokens: Tokens
  readonly attempts: LoginAttempts
  readonly audit: AuditLog
  readonly now?: () => Date
}

export function openIdentities(parts: Parts): Identities {
  const { directory, passwords, accessTokens, tokens, attempts, audit } = parts

  const byPassword = async (user: UserRecord): Promise<Login | undefined> => {
    const principal = (await directory.find(user.name))?.principal
    const owner = { user: user.name, passwordStamp: passwordStamp(user) }
    return principal && { by: 'login', principal, owner, with: 'password' }
  }
  /** Undefined: it is none of ours, has ended, or cannot be used so. */
  const byAccessToken = async (text: string, name?: string): Promise<Login | undefined> => {
    const shown = await accessTokens.check(text)
    if (!shown || shown.record.kind === 'refresh' || (name !== undefined && shown.record.user !== name))
      return undefined
    return loginOf(shown)
  }
  const inPlaceOfPassword = async (name: string, password: string): Promise<Login | undefined> => {
    if (looksLikeAccessToken(password)) return byAccessToken(password, name)
    const user = await passwords.verify(name, password)
    return user && byPassword(user)
  }
  const recalled = async (name: string, password: string): Promise<Login | undefined> => {
    const user = await passwords.recall(name, password)
    return user && byPassword(user)
  }

  const login = async (name: string, password: string, asked: () => Origin): Promise<Login> => {
    const known =
      (await recalled(name, password)) ??
      (looksLikeAccessToken(password) ? await byAccessToken(password, name) : undefined)
    if (known) return known
    const from = asked()
    // Another request with the same password may have been first, if this one had to wait.
    const check = async () => (await recalled(name, password)) ?? (await inPlaceOfPassword(name, password))
    const found = await limited(attempts.attempt(name, from.address, check), () =>
      audit.record({ type: 'login.limited', by: name, ...from }),
    )
    if (!found) {
      audit.record({ type: 'login.failed', by: name, ...from })
      throw new RegistryError('UNAUTHORIZED', { message: 'wrong user name or password' })
    }
    audit.record({ type: 'login', by: found.principal.name, with: found.with, ...from })
    await parts.administration.recordLogin(found.principal.name, parts.now?.() ?? new Date())
    return found
  }

  const byBearer = async (text: string): Promise<Caller> => {
    const found = looksLikeAccessToken(text) ? await byAccessToken(text) : await byToken(text)
    if (found) return found
    throw new RegistryError('UNAUTHORIZED', { message: 'the token is not valid or has expired' })
  }
  const byToken = async (text: string): Promise<Caller | undefined> => {
    const token = await tokens.verify(text)
    if (!token) return undefined
    if (!token.owner) return { by: 'token', principal: anonymous, token }
    const principal = await ownerNow(token.owner)
    return principal && { by: 'token', principal, token }
  }
  /** Undefined when what the token was given for is good no more. */
  const ownerNow = async ({ user, tokenId, passwordStamp: stamp }: TokenOwner): Promise<Principal | undefined> => {
    if (tokenId !== undefined) return (await accessTokens.checkAgain(tokenId))?.principal
    const known = await directory.find(user)
    return known && passwordStamp(known.record) === stamp ? known.principal : undefined
  }

  return {
    login,
    async authenticate({ authorization, apiKey, from }) {
      if (authorization === undefined && apiKey !== undefined) return await byBearer(apiKey)
      const credentials = parseCredentials(authorization)
      switch (credentials.kind) {
        case 'none':
          return { by: 'nothing' }
        case 'token':
          return await byBearer(credentials.token)
        case 'password':
          return await login(credentials.name, credentials.password, from)
      }
    },
    async refresh(token) {
      const shown = await accessTokens.check(token)
      return shown?.record.kind === 'refresh' ? loginOf(shown) : undefined
    },
  }
}

function loginOf({
  record,
  principal,
}: {
  readonly record: { readonly id: string; readonly user: string; readonly kind: LoginMeans }
  readonly principal: UserPrincipal
}): Login {
  return { by: 'login', principal, owner: { user: record.user, tokenId: record.id }, with: record.kind }
}

async function limited<result>(attempted: Promise<result>, refused: () => void): Promise<result> {
  try {
    return await attempted
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'TOOMANYREQUESTS') refused()
    throw error
  }
}
