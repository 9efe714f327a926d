import { hash } from 'node:crypto'
import { digestOf, type Digest, type DigestAlgorithm } from './digest.ts'
import { isObject, parseJson } from './json.ts'

export const signedSchema1 = 'application/vnd.docker.distribution.manifest.v1+prettyjws'

/** Of the bytes; of a signed manifest of schema 1, of what was signed, so that other signatures make no other image. */
export function digestOfManifest(mediaType: string, bytes: Uint8Array, algorithm: DigestAlgorithm): Digest {
  return digestOf(algorithm, hash(algorithm, payloadOf(mediaType, bytes), 'hex'))
}

/**
 * What the digest is about. Only this may be read of a signed manifest: nobody vouches for fields that somebody put between the
 * signatures. A text whose signatures say nothing usable is taken whole, as docker does.
 */
export function payloadOf(mediaType: string, bytes: Uint8Array): Uint8Array {
  return (mediaType === signedSchema1 ? signedPayload(bytes) : undefined) ?? bytes
}

/** libtrust's form: each signature says how much of the text was signed, and what came after that in place of the signatures. */
function signedPayload(bytes: Uint8Array): Uint8Array | undefined {
  const parsed = parseJson(bytes)
  const signatures = 'value' in parsed && isObject(parsed.value) ? parsed.value.signatures : undefined
  if (!Array.isArray(signatures)) return undefined
  const forms = signatures.map((signature: unknown) => formOf(signature, bytes.length))
  const [first] = forms
  if (!first || forms.some((form) => form?.length !== first.length || form.tail !== first.tail)) return undefined
  return Buffer.concat([bytes.subarray(0, first.length), Buffer.from(first.tail, 'base64url')])
}

interface Form {
  readonly length: number
  readonly tail: string
}

function formOf(signature: unknown, size: number): Form | undefined {
  if (!isObject(signature) || typeof signature.protected !== 'string') return undefined
  const parsed = parseJson(Buffer.from(signature.protected, 'base64url'))
  if (!('value' in parsed) || !isObject(parsed.value)) return undefined
  const { formatLength: length, formatTail: tail } = parsed.value
  if (!Number.isSafeInteger(length) || Number(length) < 0 || Number(length) > size) return undefined
  return typeof tail === 'string' ? { length: Number(length), tail } : undefined
}
