import { createSecureContext, type SecureContext } from 'node:tls'
import { CertificateError } from './certificate-error.ts'
import type { CertificatePair } from './certificate-pair.ts'
import { canonicalName, wildcardOver } from './names.ts'
import { subjectNames } from './subject-names.ts'

/** Certificates that are served together: which one for which name. Never changes; a reload makes a new set. */
export class CertificateSet {
  readonly fallback: CertificatePair
  readonly #contexts = new Map<string, SecureContext>()
  readonly #fallbackContext: SecureContext

  /** Of several pairs for one name the first is taken, and the first of all is the fallback. */
  constructor([first, ...others]: readonly [CertificatePair, ...CertificatePair[]]) {
    this.fallback = first
    this.#fallbackContext = this.#add(first)
    for (const pair of others) this.#add(pair)
  }

  /** Exact name first, then a wildcard, which stands for one label, then the fallback. */
  contextFor(serverName: string): SecureContext {
    const name = canonicalName(serverName)
    return this.#contexts.get(name) ?? this.#contexts.get(wildcardOver(name) ?? name) ?? this.#fallbackContext
  }

  /** Made once and kept: a context per handshake costs milliseconds, and memory that is slow to come back. */
  #add(pair: CertificatePair): SecureContext {
    const context = contextOf(pair)
    for (const name of subjectNames(pair.certificate).dns) {
      if (!this.#contexts.has(name)) this.#contexts.set(name, context)
    }
    return context
  }
}

function contextOf({ files, cert, key }: CertificatePair): SecureContext {
  try {
    return createSecureContext({ cert, key })
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new CertificateError(`${files.cert} cannot be served (${why}): have it issued anew`, { cause })
  }
}
