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
/** How long nobody looks again after that was of no use: each who asks for an image would else run the helper once more. */
const restMs = 5000

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

/** These, and no others. */
export function fixedCredentials(login: Login): Credentials {
  return { current: () => Promise.resolve(login), renew: () => Promise.resolve(undefined) }
}

interface Loaded {
  readonly login: Promise<Login | undefined>
  readonly at: number
  /** From then on. */
  goodForMs: number
}

class LoadedCredentials implements Credentials {
  readonly #load: () => Promise<Login | undefined>
  readonly #maxAgeMs: number
  readonly #now: () => number
  #loaded: Loaded | undefined = undefined
  /** Other credentials were looked for in place of these, and there were none. */
  #inVain: { readonly login: Login; readonly at: number } | undefined = undefined

  constructor(load: () => Promise<Login | undefined>, maxAgeMs: number, now: () => number) {
    this.#load = load
    this.#maxAgeMs = maxAgeMs
    this.#now = now
  }

  async current(): Promise<Login | undefined> {
    const known = this.#loaded
    if (known && this.#now() - known.at < known.goodForMs) return await known.login
    const loading: Loaded = { login: this.#load(), at: this.#now(), goodForMs: this.#maxAgeMs }
    this.#loaded = loading
    try {
      return await loading.login
    } catch (error) {
      loading.goodForMs = restMs
      throw error
    }
  }

  async renew(refused: Login): Promise<Login | undefined> {
    const vain = this.#inVain
    if (vain && isSame(vain.login, refused) && this.#now() - vain.at < restMs) return undefined
    const known = this.#loaded
    const login = await known?.login.catch(() => undefined)
    if (this.#loaded === known && login && isSame(login, refused)) this.#loaded = undefined
    const next = await this.current()
    if (next && !isSame(next, refused)) return next
    this.#inVain = { login: refused, at: this.#now() }
    return undefined
  }
}

function isSame(one: Login, other: Login): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
