import type { RemoteConfig } from '../../config.ts'
import { askCredentialHelper } from './credential-helper.ts'
import type { Login } from './login.ts'
import { readPassword } from './trust.ts'

/** Who we are for the upstream. */
export interface Credentials {
  /** Undefined when we are nobody. Rejects with an UpstreamFailure when they cannot be had now. */
  current(): Promise<Login | undefined>
  /** After these were refused: others, or undefined when there are none. */
  renew(refused: Login): Promise<Login | undefined>
}

const helperMs = 5 * 60_000

/** `server` is how the helper knows the upstream. Throws, naming the setting, when a secret cannot be read. */
export async function openCredentials(config: RemoteConfig, server: string, now: () => number): Promise<Credentials> {
  const { username, password, token, credentialHelper } = config
  if (credentialHelper) return new LoadedCredentials(() => askCredentialHelper(credentialHelper, server), helperMs, now)
  const load = async (): Promise<Login | undefined> => {
    if (token) return { kind: 'identity token', token: await readPassword('token', token) }
    if (username === undefined || !password) return undefined
    return { kind: 'password', username, password: await readPassword('password', password) }
  }
  const credentials = new LoadedCredentials(load, Infinity, now)
  await credentials.current()
  return credentials
}

class LoadedCredentials implements Credentials {
  readonly #load: () => Promise<Login | undefined>
  readonly #maxAgeMs: number
  readonly #now: () => number
  #loaded: { readonly login: Promise<Login | undefined>; readonly at: number } | undefined = undefined

  constructor(load: () => Promise<Login | undefined>, maxAgeMs: number, now: () => number) {
    this.#load = load
    this.#maxAgeMs = maxAgeMs
    this.#now = now
  }

  async current(): Promise<Login | undefined> {
    const known = this.#loaded
    if (known && this.#now() - known.at < this.#maxAgeMs) return await known.login
    const loading = { login: this.#load(), at: this.#now() }
    this.#loaded = loading
    try {
      return await loading.login
    } catch (error) {
      if (this.#loaded === loading) this.#loaded = undefined
      throw error
    }
  }

  async renew(refused: Login): Promise<Login | undefined> {
    const known = this.#loaded
    const login = await known?.login.catch(() => undefined)
    if (this.#loaded === known && (!login || isSame(login, refused))) this.#loaded = undefined
    const next = await this.current()
    return next && !isSame(next, refused) ? next : undefined
  }
}

function isSame(one: Login, other: Login): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
