import { createPublicKey, hash, X509Certificate, type KeyObject } from 'node:crypto'
import { isObject, type JsonObject } from '../json.ts'

const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
/** A client that checks a signature does so with a key of the signer's choice; those of people have half as many. */
const maxRsaBits = 8192

/** libtrust's id of a key: the first 240 bits of the SHA-256 of its SubjectPublicKeyInfo, in base32 and in groups of four. */
export function trustKeyId(key: KeyObject): string {
  const digest = hash('sha256', key.export({ type: 'spki', format: 'der' }), 'buffer')
  const bits = [...digest.subarray(0, 30)].map((octet) => octet.toString(2).padStart(8, '0')).join('')
  const letters = (bits.match(/.{5}/g) ?? []).map((five) => base32.charAt(parseInt(five, 2))).join('')
  return (letters.match(/.{4}/g) ?? []).join(':')
}

/** The one that a signature names: the first certificate's, or a JWK. Throws an Error that says what was expected. */
export function namedKey({ x5c, jwk }: JsonObject): KeyObject {
  const key = keyIn(x5c, jwk)
  if ((key.asymmetricKeyDetails?.modulusLength ?? 0) <= maxRsaBits) return key
  throw new Error(`expected a key of RSA with at most ${maxRsaBits} bits`)
}

/** Nobody vouches for the chain: who trusts which authority is for those who pull. */
function keyIn(x5c: unknown, jwk: unknown): KeyObject {
  if (Array.isArray(x5c) && typeof x5c[0] === 'string')
    return new X509Certificate(Buffer.from(x5c[0], 'base64')).publicKey
  if (!isObject(jwk)) throw new Error('expected a jwk or an x5c')
  const key = createPublicKey({ key: { ...jwk }, format: 'jwk' })
  if (jwk.kid !== undefined && jwk.kid !== trustKeyId(key)) throw new Error('expected the kid to be that of the key')
  return key
}
