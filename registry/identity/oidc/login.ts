import {
  allowInsecureRequests,
  authorizationCodeGrant,
  AuthorizationResponseError,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  ClientError,
  ClientSecretBasic,
  ClientSecretPost,
  clockTolerance,
  Configuration,
  customFetch,
  enableNonRepudiationChecks,
  fetchUserInfo,
  None,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
  type ClientAuth,
} from 'openid-client'
import type { OidcProvider } from '../../config.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { JsonObject } from '../../domain/json.ts'
import type { SourceUser } from '../user-source.ts'
import { claimAt } from './claims.ts'
import type { OnLogin } from './connection.ts'
import type { PendingLogin, PendingLogins } from './pending-login.ts'
import { ProviderUnreachable } from './provider-fetch.ts'
import { reaching, type Provider, type ProviderMetadata } from './provider.ts'
import { sourceUserOf } from './source-user.ts'

/** Logins by one provider: the authorization code flow of OpenID Connect Core 1.0 §3.1 with PKCE (RFC 7636). */
export interface Login {
  /** Where the browser goes, and what it must bring back. Throws UNAVAILABLE when the provider cannot be asked. */
  begin(redirectUri: string, returnTo: string): Promise<{ readonly location: string; readonly pending: string }>
  /**
   * `callback` is the redirect URI with what the provider has added. Throws UNAUTHORIZED when it is not the answer to
   * `pending`, DENIED when the user may not log in, UNAVAILABLE when the provider cannot be asked.
   */
  finish(callback: URL, pending: string | undefined): Promise<{ readonly user: SourceUser; readonly returnTo: string }>
}

export interface LoginParts {
  readonly provider: Provider
  readonly config: OidcProvider
  readonly clientId: string
  /** Undefined for a public client. */
  readonly clientSecret: string | undefined
  readonly pendingLogins: PendingLogins
  readonly onLogin: OnLogin
}

export function openLogin({ provider, config, clientId, clientSecret, pendingLogins, onLogin }: LoginParts): Login {
  const { name } = provider
  const client = clientOf(provider, clientId, clientSecret)
  return {
    async begin(redirectUri, returnTo) {
      const login = { state: randomState(), nonce: randomNonce(), codeVerifier: randomPKCECodeVerifier(), returnTo }
      const location = buildAuthorizationUrl(await client(), {
        redirect_uri: redirectUri,
        scope: config.scopes.join(' '),
        state: login.state,
        nonce: login.nonce,
        code_challenge: await calculatePKCECodeChallenge(login.codeVerifier),
        code_challenge_method: 'S256',
      })
      return { location: location.href, pending: await pendingLogins.seal(name, login) }
    },

    async finish(callback, sealed) {
      const login = sealed === undefined ? undefined : await pendingLogins.open(name, sealed)
      if (!login)
        throw new RegistryError('UNAUTHORIZED', {
          message: 'this browser has begun no such login, or too long ago, or another one since: please begin again',
        })
      const configuration = await client()
      const claims = await understanding(name, () => claimsOf(configuration, callback, login, config))
      const user = sourceUserOf(name, claims, config)
      await onLogin(name, user)
      return { user, returnTo: login.returnTo }
    },
  }
}

/** Made anew when the provider describes itself anew. */
function clientOf(provider: Provider, clientId: string, secret: string | undefined): () => Promise<Configuration> {
  let last: { readonly metadata: ProviderMetadata; readonly client: Configuration } | undefined
  return async () => {
    const metadata = await provider.metadata()
    if (last?.metadata !== metadata) last = { metadata, client: makeClient(provider, metadata, clientId, secret) }
    return last.client
  }
}

const leewaySeconds = 60

function makeClient(
  { name, issuer, fetch }: Provider,
  metadata: ProviderMetadata,
  clientId: string,
  secret: string | undefined,
): Configuration {
  if (metadata.authorization_endpoint === undefined || metadata.token_endpoint === undefined)
    throw new RegistryError('UNAVAILABLE', { message: `the provider "${name}" offers no login` })
  const client = new Configuration(
    metadata,
    clientId,
    { [clockTolerance]: leewaySeconds },
    clientAuth(metadata, secret),
  )
  client[customFetch] = (url, { method, headers, body }) =>
    fetch(url, { method, headers, ...(body instanceof URLSearchParams ? { body: body.toString() } : {}) })
  // The signature counts, not only that the token came from the right host.
  enableNonRepudiationChecks(client)
  // Only this machine itself can be such an issuer; see isHttpsUrl.
  if (issuer.startsWith('http:')) allowInsecureRequests(client)
  return client
}

/** OpenID Connect Discovery 1.0 §3: a provider that names no method takes the secret by Basic. */
function clientAuth(
  { token_endpoint_auth_methods_supported: methods = ['client_secret_basic'] }: ProviderMetadata,
  secret: string | undefined,
): ClientAuth {
  if (secret === undefined) return None()
  return methods.includes('client_secret_basic') ? ClientSecretBasic(secret) : ClientSecretPost(secret)
}

/** Many providers keep an ID token small and tell the rest when they are asked for it. */
async function claimsOf(
  client: Configuration,
  callback: URL,
  login: PendingLogin,
  { userClaim, groupsClaim }: OidcProvider,
): Promise<JsonObject> {
  const tokens = await authorizationCodeGrant(client, callback, {
    expectedState: login.state,
    expectedNonce: login.nonce,
    pkceCodeVerifier: login.codeVerifier,
    idTokenExpected: true,
  })
  const claims = tokens.claims()
  if (!claims) throw new ProviderUnreachable('the answer to a code has no ID token')
  const complete = [userClaim, groupsClaim].every((claim) => claimAt(claims, claim) !== undefined)
  if (complete || client.serverMetadata().userinfo_endpoint === undefined) return claims
  return { ...(await fetchUserInfo(client, tokens.access_token, claims.sub)), ...claims }
}

/** Of the errors of openid-client only what the log and a person may read: they hold answers with tokens. */
async function understanding<answer>(name: string, ask: () => Promise<answer>): Promise<answer> {
  try {
    return await reaching(name, ask)
  } catch (error) {
    const unreachable = causesOf(error).find((cause) => cause instanceof ProviderUnreachable)
    if (unreachable) return await reaching(name, () => Promise.reject(unreachable))
    // RFC 6749 §4.1.2.1: the person said no, or the provider did.
    if (error instanceof AuthorizationResponseError) throw unauthorized(name, `it answers ${plainWord(error.error)}`)
    if (error instanceof ResponseBodyError && error.error === 'invalid_grant')
      throw unauthorized(name, 'it does not accept the code, which is good once and for a short time')
    if (error instanceof ResponseBodyError)
      throw unavailable(name, `it answers ${plainWord(error.error)} to this registry`)
    if (error instanceof WWWAuthenticateChallengeError)
      throw unavailable(name, `it answers ${error.status} to its own token`)
    if (error instanceof ClientError) throw unauthorized(name, `${error.message} (${error.code ?? 'no code'})`)
    throw error
  }
}

/** The error and what caused it, outermost first. */
function* causesOf(error: unknown): Generator<Error> {
  for (let at = error; at instanceof Error; at = at.cause) yield at
}

/** RFC 6749 §4.1.2.1 knows no other words; anything else comes from whoever made the link. */
function plainWord(text: string): string {
  return /^[a-z_]{1,64}$/.test(text) ? text : 'an error'
}

function unauthorized(name: string, reason: string): RegistryError {
  return new RegistryError('UNAUTHORIZED', { message: `the login with "${name}" did not succeed: ${reason}` })
}

function unavailable(name: string, reason: string): RegistryError {
  return new RegistryError('UNAVAILABLE', { message: `the login with "${name}" does not work: ${reason}` })
}
