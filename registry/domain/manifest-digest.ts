import { hash } from 'node:crypto'
import { digestOf, type Digest, type DigestAlgorithm } from './digest.ts'
import { signedSchema1 } from './schema1/media-types.ts'
import { signedPart } from './schema1/signed-part.ts'

/** Of the bytes; of a signed manifest of schema 1, of what was signed, so that other signatures make no other image. */
export function digestOfManifest(mediaType: string, bytes: Uint8Array, algorithm: DigestAlgorithm): Digest {
  return digestOf(algorithm, hash(algorithm, payloadOf(mediaType, bytes), 'hex'))
}

/**
 * What the digest is about. Only this may be read of a signed manifest: nobody vouches for fields that somebody put between the
 * signatures. A text whose signatures say nothing usable is taken whole, as docker does.
 */
export function payloadOf(mediaType: string, bytes: Uint8Array): Uint8Array {
  return (mediaType === signedSchema1 ? signedPart(bytes)?.payload : undefined) ?? bytes
}
