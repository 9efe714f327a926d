import type { SecureContext } from 'node:tls'
import type { Logger } from 'pino'
import type { ServerCertificates } from '../gateway/server-certificates.ts'
import { CertificateError } from './certificate-error.ts'
import { loadPair } from './certificate-pair.ts'
import { CertificateSet } from './certificate-set.ts'
import {
  certificateDirectories,
  certificateFiles,
  stateOf,
  type CertificateFiles,
  type CertificateSettings,
} from './certificate-source.ts'
import { FileWatch, type FileWatchTimes } from './file-watch.ts'
import { parseCertificates, readPem } from './pem-file.ts'

export interface StoreSettings extends CertificateSettings {
  readonly log: Logger
  readonly now?: () => Date
  readonly watch?: FileWatchTimes
}

interface Loaded {
  readonly set: CertificateSet
  readonly authority: string | undefined
}

/**
 * Loads the configured certificates and follows their files. Throws CertificateError when they cannot be used now; later a
 * bad file is logged and what was loaded before is served on.
 */
export async function openServerCertificates(settings: StoreSettings): Promise<ServerCertificates & AsyncDisposable> {
  const store = new CertificateStore(settings)
  try {
    await store.load()
    return store
  } catch (error) {
    await store[Symbol.asyncDispose]()
    throw error
  }
}

class CertificateStore implements ServerCertificates, AsyncDisposable {
  readonly #settings: StoreSettings
  readonly #now: () => Date
  readonly #watch: FileWatch
  readonly #listeners: (() => void)[] = []
  #loaded: Loaded | undefined
  #state: string | undefined
  #problem: string | undefined

  constructor(settings: StoreSettings) {
    this.#settings = settings
    this.#now = settings.now ?? (() => new Date())
    this.#watch = new FileWatch(() => this.#reload(), settings.watch ?? { debounceMs: 200, pollMs: 30_000 })
  }

  /** True when what is served has changed. */
  async load(): Promise<boolean> {
    // Watched first, looked at second, read third: a change in between is seen next time, never lost.
    this.#watch.watch(await certificateDirectories(this.#settings))
    const files = await certificateFiles(this.#settings)
    const state = await stateOf(files)
    if (state === this.#state) return false
    this.#loaded = await loadFiles(files, this.#now())
    this.#state = state
    return true
  }

  fallback(): { readonly cert: string; readonly key: string } {
    const { cert, key } = this.#current.set.fallback
    return { cert, key }
  }

  contextFor(serverName: string): SecureContext {
    return this.#current.set.contextFor(serverName)
  }

  authority(): string | undefined {
    return this.#current.authority
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch[Symbol.asyncDispose]()
  }

  get #current(): Loaded {
    if (!this.#loaded) throw new Error('the certificates have not been loaded')
    return this.#loaded
  }

  async #reload(): Promise<void> {
    const { log } = this.#settings
    try {
      const changed = await this.load()
      if (!changed && !this.#problem) return
      this.#problem = undefined
      log.info({ validTo: this.#current.set.fallback.certificate.validToDate }, 'certificates loaded')
      if (changed) for (const listener of this.#listeners) listener()
    } catch (error) {
      this.#report(error)
    }
  }

  /** A problem that stays is met again at every look, and said once. */
  #report(error: unknown): void {
    const problem = error instanceof Error ? error.message : String(error)
    if (problem === this.#problem) return
    this.#problem = problem
    const { log } = this.#settings
    const details = error instanceof CertificateError ? {} : { err: error }
    log.error(details, `the new certificates are not taken, the former are served on: ${problem}`)
  }
}

async function loadFiles(files: CertificateFiles, now: Date): Promise<Loaded> {
  const [first, ...others] = await Promise.all(files.pairs.map((pair) => loadPair(pair, now)))
  if (!first) throw new CertificateError('no certificates are configured: name at least one pair')
  const authority = files.authority === undefined ? undefined : await readPem(files.authority)
  if (files.authority && authority) parseCertificates(files.authority, authority)
  return { set: new CertificateSet([first, ...others]), authority }
}
