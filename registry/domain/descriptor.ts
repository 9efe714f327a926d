import { isDigest, type Digest } from './digest.ts'
import { isObject } from './json.ts'

/** As manifests name other content: OCI image 1.1, "Content Descriptors". */
export interface Descriptor {
  readonly digest: Digest
  readonly mediaType: string | undefined
  /** In bytes. */
  readonly size: number
  /** Where else it can be had; mostly nowhere. */
  readonly urls: readonly string[]
  /** Its bytes need not be here: they may not be distributed, or are elsewhere. */
  readonly foreign: boolean
}

/** The descriptor, or where in it something else was expected, and what. */
export type ParsedDescriptor = Descriptor | { readonly problem: string }

export function readDescriptor(value: unknown): ParsedDescriptor {
  if (!isObject(value)) return { problem: ': expected a descriptor, an object with mediaType, digest and size' }
  const { digest, size, mediaType, urls } = value
  if (typeof digest !== 'string' || !isDigest(digest))
    return { problem: '.digest: expected sha256:<64 hex digits> or sha512:<128 hex digits>' }
  if (!Number.isSafeInteger(size) || Number(size) < 0) return { problem: '.size: expected a non-negative integer' }
  if (mediaType !== undefined && typeof mediaType !== 'string') return { problem: '.mediaType: expected a string' }
  const others = Array.isArray(urls) ? urls.filter((url) => typeof url === 'string') : []
  return { digest, mediaType, size: Number(size), urls: others, foreign: isForeign(mediaType, urls) }
}

/** OCI image 1.1, "Non-distributable layers", and `…rootfs.foreign.diff…` of Docker. */
function isForeign(mediaType = '', urls: unknown): boolean {
  return (
    mediaType.includes('.nondistributable.') ||
    mediaType.includes('.foreign.') ||
    (Array.isArray(urls) && urls.length > 0)
  )
}
