import type { AuditLog } from '../audit/audit-log.ts'
import { RegistryError } from '../domain/errors.ts'
import { anonymous, type Principal, type UserPrincipal } from '../domain/permissions.ts'
import type { TokenRecord, UserRecord } from '../storage/access-store.ts'
import type { AccessTokenService } from './access-tokens.ts'
import { looksLikeAccessToken } from './access-tokens.ts'
import type { AccessAdministration } from './access-administration.ts'
import { parseCredentials, type Credentials } from './credentials.ts'
import type { Directory } from './directory.ts'
import type { LoginAttempts } from './login-attempts.ts'
import type { TokenContents, TokenOwner, Tokens } from './tokens.ts'
import { openRecentCallers, type Recent } from './recent-callers.ts'
import type { PasswordCheck } from './verified-passwords.ts'

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

  const recent = openRecentCallers<Caller>(directory, () => (parts.now?.() ?? new Date()).getTime())

  const byPassword = async (user: UserRecord): Promise<Recent<Login> | undefined> => {
    const known = await directory.find(user.name)
    if (!known) return undefined
    const { principal, passwordStamp } = known
    const owner = { user: user.name, passwordStamp }
    return { caller: { by: 'login', principal, owner, with: 'password' }, untilMs: Infinity }
  }
  /** Undefined: it is none of ours, has ended, or cannot be used so. */
  const byAccessToken = async (text: string, name?: string): Promise<Recent<Login> | undefined> => {
    const shown = await accessTokens.check(text)
    if (!shown || shown.record.kind === 'refresh' || (name !== undefined && shown.record.user !== name))
      return undefined
    return loginOf(shown)
  }
  const verified = async (name: string, password: string): Promise<Recent<Login> | undefined> => {
    const user = await passwords.verify(name, password)
    return user && byPassword(user)
  }
  const recalled = async (name: string, password: string): Promise<Recent<Login> | undefined> => {
    const user = await passwords.recall(name, password)
    return user && byPassword(user)
  }
  /** Nobody guesses one, so a wrong one is not limited: a job that goes on with one that has ended must lock nobody out. */
  const loginByToken = async (name: string, token: string, asked: () => Origin): Promise<Recent<Login>> => {
    const found = await byAccessToken(token, name)
    if (found) return found
    audit.record({ type: 'login.failed', by: name, ...asked() })
    throw new RegistryError('UNAUTHORIZED', {
      message: 'the access token has expired, was revoked, or is not of this user',
    })
  }

  const recogniseLogin = async (name: string, password: string, asked: () => Origin): Promise<Recent<Login>> => {
    if (looksLikeAccessToken(password)) return await loginByToken(name, password, asked)
    const known = await recalled(name, password)
    if (known) return known
    const from = asked()
    // Another request with the same password may have been first, if this one had to wait.
    const check = async () => (await recalled(name, password)) ?? (await verified(name, password))
    const found = await limited(attempts.attempt(name, from.address, check), () =>
      audit.record({ type: 'login.limited', by: name, ...from }),
    )
    if (!found) {
      audit.record({ type: 'login.failed', by: name, ...from })
      throw new RegistryError('UNAUTHORIZED', { message: 'wrong user name or password' })
    }
    const { principal, with: means } = found.caller
    audit.record({ type: 'login', by: principal.name, with: means, ...from })
    await parts.administration.recordLogin(principal.name, parts.now?.() ?? new Date())
    return found
  }

  const byBearer = async (text: string): Promise<Recent<Caller>> => {
    const found = looksLikeAccessToken(text) ? await byAccessToken(text) : await byToken(text)
    if (found) return found
    throw new RegistryError('UNAUTHORIZED', { message: 'the token is not valid or has expired' })
  }
  const byToken = async (text: string): Promise<Recent<Caller> | undefined> => {
    const token = await tokens.verify(text)
    if (!token) return undefined
    const { contents, expiresAtMs } = token
    if (!contents.owner) return { caller: { by: 'token', principal: anonymous, token: contents }, untilMs: expiresAtMs }
    const owner = await ownerNow(contents.owner)
    if (!owner) return undefined
    const { principal, untilMs } = owner
    return { caller: { by: 'token', principal, token: contents }, untilMs: Math.min(untilMs, expiresAtMs) }
  }
  /** Undefined when what the token was given for is good no more. */
  const ownerNow = async ({ user, tokenId, passwordStamp: stamp }: TokenOwner) => {
    if (tokenId !== undefined) {
      const shown = await accessTokens.checkAgain(tokenId)
      return shown && { principal: shown.principal, untilMs: endOf(shown.record) }
    }
    const known = await directory.find(user)
    return known && known.passwordStamp === stamp ? { principal: known.principal, untilMs: Infinity } : undefined
  }

  const recognise = async (credentials: Credentials, from: () => Origin): Promise<Recent<Caller>> => {
    switch (credentials.kind) {
      case 'none':
        return { caller: { by: 'nothing' }, untilMs: Infinity }
      case 'token':
        return await byBearer(credentials.token)
      case 'password':
        return await recogniseLogin(credentials.name, credentials.password, from)
    }
  }

  return {
    login: async (name, password, from) => (await recogniseLogin(name, password, from)).caller,
    async authenticate({ authorization, apiKey, from }) {
      if (authorization !== undefined)
        return recent.find(authorization, () => recognise(parseCredentials(authorization), from))
      return apiKey === undefined ? { by: 'nothing' } : (await byBearer(apiKey)).caller
    },
    async refresh(token) {
      const shown = await accessTokens.check(token)
      return shown?.record.kind === 'refresh' ? loginOf(shown).caller : undefined
    },
  }
}

interface UsedToken {
  readonly record: TokenRecord & { readonly kind: LoginMeans }
  readonly principal: UserPrincipal
}

function loginOf({ record, principal }: UsedToken): Recent<Login> {
  const caller: Login = { by: 'login', principal, owner: { user: record.user, tokenId: record.id }, with: record.kind }
  return { caller, untilMs: endOf(record) }
}

function endOf({ expiresAt }: TokenRecord): number {
  return expiresAt?.getTime() ?? Infinity
}

async function limited<result>(attempted: Promise<result>, refused: () => void): Promise<result> {
  try {
    return await attempted
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'TOOMANYREQUESTS') refused()
    throw error
  }
}
