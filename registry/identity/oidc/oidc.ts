import { readFile } from 'node:fs/promises'
import type { OidcProvider, RegistryConfig } from '../../config.ts'
import { readSecret } from '../../config/secret-value.ts'
import type { OidcConnection } from './connection.ts'
import { openLogin, type Login } from './login.ts'
import { openPendingLogins } from './pending-login.ts'
import { openProviderFetch } from './provider-fetch.ts'
import { openProvider } from './provider.ts'
import { openWorkload, type Workload } from './workload.ts'

/** What the configured providers are good for, by their names. */
export interface Oidc {
  readonly logins: ReadonlyMap<string, Login>
  readonly workloads: ReadonlyMap<string, Workload>
}

/** Asks no provider yet. Throws an error fit to be shown when a secret or a certificate cannot be read. */
export async function openOidc(
  providers: RegistryConfig['oidc'],
  { issueShortLived, onLogin }: OidcConnection,
  now: () => number = Date.now,
): Promise<Oidc> {
  const pendingLogins = openPendingLogins(now)
  const logins = new Map<string, Login>()
  const workloads = new Map<string, Workload>()
  for (const [name, config] of Object.entries(providers)) {
    const { issuer, clientId, login, workload } = config
    const { ca, clientSecret } = await readFiles(name, config)
    const provider = openProvider(name, issuer, openProviderFetch(ca), now)
    if (workload) workloads.set(name, openWorkload(provider, workload, issueShortLived, now))
    if (login && clientId !== undefined)
      logins.set(name, openLogin({ provider, config, clientId, clientSecret, pendingLogins, onLogin }))
  }
  return { logins, workloads }
}

async function readFiles(name: string, { ca, clientSecret }: OidcProvider) {
  try {
    return {
      ca: ca === undefined ? undefined : await readFile(ca, 'utf8'),
      clientSecret: clientSecret === undefined ? undefined : await readSecret(clientSecret),
    }
  } catch (cause) {
    throw new Error(`registry.oidc.${name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}
