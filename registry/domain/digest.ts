import { RegistryError } from './errors.ts'
import type { Parsed } from './parsed.ts'

/** `sha256:<64 hex>` or `sha512:<128 hex>`, lower case. */
export type Digest = Parsed<'Digest'>
export type DigestAlgorithm = 'sha256' | 'sha512'

/** Registered algorithms and the length of their encoded part: OCI image 1.1, "Digests". */
const encodedLength: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha512: 128 }
export const digestAlgorithms: readonly DigestAlgorithm[] = ['sha256', 'sha512']
const form = /^(sha256|sha512):([0-9a-f]+)$/

export function isDigest(text: string): text is Digest {
  const match = form.exec(text)
  return match !== null && match[2]?.length === encodedLength[match[1] as DigestAlgorithm]
}

/** Throws DIGEST_INVALID. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text
  throw new RegistryError('DIGEST_INVALID', {
    message: 'not a digest that this registry supports: expected sha256:<64 hex digits> or sha512:<128 hex digits>',
    detail: { digest: text },
  })
}

export function digestOf(algorithm: DigestAlgorithm, hex: string): Digest {
  return parseDigest(`${algorithm}:${hex}`)
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256'
}

/** The hexadecimal part. */
export function encodedOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1)
}
