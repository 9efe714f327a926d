import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey, type LocalJWKSet } from 'jose'
import { z } from 'zod'
import { RegistryError } from '../../domain/errors.ts'
import { isHttpsUrl } from '../../domain/https-url.ts'
import { fetchJson, ProviderUnreachable, type ProviderFetch } from './provider-fetch.ts'
import { remembered } from './remembered.ts'

const endpoint = z.string().refine(isHttpsUrl, 'expected an https URL')
/** OpenID Connect Discovery 1.0 §3, as far as we rely on it. A provider for jobs alone has no endpoints. */
const metadata = z
  .object({
    issuer: z.string(),
    jwks_uri: endpoint,
    authorization_endpoint: endpoint.exactOptional(),
    token_endpoint: endpoint.exactOptional(),
    userinfo_endpoint: endpoint.exactOptional(),
    token_endpoint_auth_methods_supported: z.array(z.string()).exactOptional(),
  })
  .catchall(z.json())
export type ProviderMetadata = z.output<typeof metadata>

/** A provider as it describes itself. Everything throws UNAVAILABLE while it cannot be asked. */
export interface Provider {
  readonly name: string
  readonly issuer: string
  readonly fetch: ProviderFetch
  /** The same object as long as it is the same description. */
  metadata(): Promise<ProviderMetadata>
  /** The key that a token's header names. Throws what jose throws when there is none. */
  readonly key: JWTVerifyGetKey
}

/** A key that the provider has withdrawn is good for so long, or a little longer. */
const keysMs = 10 * 60_000
/** An unknown key may be a new one; but who sends nonsense must not make us ask the provider each time. */
const newKeysMs = 30_000
const metadataMs = 60 * 60_000

export function openProvider(name: string, issuer: string, fetch: ProviderFetch, now: () => number): Provider {
  const description = remembered(() => discover(issuer, fetch), now)
  const keys = remembered(async () => await fetchKeys((await description(metadataMs)).jwks_uri, fetch), now)
  return {
    name,
    issuer,
    fetch,
    metadata: () => reaching(name, () => description(metadataMs)),
    async key(header, token) {
      const kept = await reaching(name, () => keys(keysMs))
      try {
        return await kept(header, token)
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
        const fresh = await reaching(name, () => keys(newKeysMs))
        if (fresh === kept) throw error
        return await fresh(header, token)
      }
    },
  }
}

/** Runs `ask`, and throws UNAVAILABLE instead of {@link ProviderUnreachable}. */
export async function reaching<answer>(name: string, ask: () => Promise<answer>): Promise<answer> {
  try {
    return await ask()
  } catch (cause) {
    if (!(cause instanceof ProviderUnreachable)) throw cause
    throw new RegistryError('UNAVAILABLE', { message: `the provider "${name}" cannot be asked`, cause })
  }
}

async function discover(issuer: string, fetch: ProviderFetch): Promise<ProviderMetadata> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const { success, data, error } = metadata.safeParse(await fetchJson(fetch, url))
  if (!success) throw new ProviderUnreachable(`GET ${url}: ${z.prettifyError(error)}`)
  // OpenID Connect Discovery 1.0 §4.3: MUST be identical, else one provider could speak for another.
  if (data.issuer !== issuer)
    throw new ProviderUnreachable(`GET ${url}: describes the issuer "${data.issuer}", expected "${issuer}"`)
  return data
}

async function fetchKeys(url: string, fetch: ProviderFetch): Promise<LocalJWKSet> {
  const keys = await fetchJson(fetch, url)
  try {
    return createLocalJWKSet(keys as JSONWebKeySet)
  } catch (cause) {
    throw new ProviderUnreachable(`GET ${url}: expected a JSON Web Key Set`, { cause })
  }
}
