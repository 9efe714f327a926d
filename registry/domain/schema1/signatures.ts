import { createPublicKey, sign, verify, type KeyObject } from 'node:crypto'
import { RegistryError } from '../errors.ts'
import { isObject, parseJson, type JsonObject } from '../json.ts'
import { signedPart, signaturesIn } from './signed-part.ts'
import { namedKey, trustKeyId } from './trust-key.ts'

/** Those who push sign once, and each signature is checked while everybody else waits. */
const maxSignatures = 32

/**
 * libtrust's "pretty signature", by a private key on P-256: the text goes on as it began, and has the signature for its last member. The
 * payload is the text of a JSON object. Another call makes another signature.
 */
export function signSchema1(payload: Uint8Array, key: KeyObject, at: Date): Uint8Array {
  const text = Buffer.from(payload).toString()
  const open = text.trimEnd().slice(0, -1).trimEnd()
  const formatLength = Buffer.byteLength(open)
  const form = {
    formatLength,
    formatTail: Buffer.from(payload.subarray(formatLength)).toString('base64url'),
    time: `${at.toISOString().slice(0, 19)}Z`,
  }
  const protectedHeader = Buffer.from(JSON.stringify(form)).toString('base64url')
  const signature = sign('sha256', signed(protectedHeader, payload), { key, dsaEncoding: 'ieee-p1363' })
  const signatures = [
    {
      header: { jwk: jwkOf(key), alg: 'ES256' },
      signature: signature.toString('base64url'),
      protected: protectedHeader,
    },
  ]
  const indent = /^\{\n([^"]*)"/.exec(text)?.[1] ?? ''
  const list = JSON.stringify(signatures, null, indent)
  return Buffer.from(
    indent === ''
      ? `${open},"signatures":${list}}`
      : `${open},\n${indent}"signatures": ${list.replaceAll('\n', `\n${indent}`)}\n}`,
  )
}

/**
 * Resolves the doubt whether the text is what its signers signed, whoever they are. Throws MANIFEST_UNVERIFIED; also for a text that says
 * more than what was signed, since not every client looks at the signed part alone.
 */
export function verifySchema1(bytes: Uint8Array): void {
  const signatures = signaturesIn(bytes)
  if (!signatures || signatures.length === 0) throw unverified('expected signatures, or the media type for none')
  if (signatures.length > maxSignatures) throw unverified(`expected at most ${maxSignatures} signatures`)
  const part = signedPart(bytes)
  if (!part) throw unverified('expected each signature to say the same formatLength and formatTail')
  refuseMore(bytes.subarray(part.length))
  for (const [index, signature] of signatures.entries()) {
    const problem = problemOf(signature, part.payload)
    if (problem !== undefined) throw unverified(`signatures[${index}]: ${problem}`)
  }
}

function refuseMore(rest: Uint8Array): void {
  const text = Buffer.from(rest).toString().trimStart()
  const parsed = text.startsWith(',') ? parseJson(Buffer.from(`{${text.slice(1)}`)) : undefined
  if (parsed && 'value' in parsed && isObject(parsed.value) && Object.keys(parsed.value).join() === 'signatures') return
  throw unverified('expected nothing but the signatures behind what was signed')
}

interface Algorithm {
  readonly hash: string
  readonly keyType: 'ec' | 'rsa'
  /** Of the elliptic curve, in the words of node:crypto. */
  readonly curve?: string
}

const algorithms: ReadonlyMap<unknown, Algorithm> = new Map([
  ['ES256', { hash: 'sha256', keyType: 'ec', curve: 'prime256v1' }],
  ['ES384', { hash: 'sha384', keyType: 'ec', curve: 'secp384r1' }],
  ['ES512', { hash: 'sha512', keyType: 'ec', curve: 'secp521r1' }],
  ['RS256', { hash: 'sha256', keyType: 'rsa' }],
  ['RS384', { hash: 'sha384', keyType: 'rsa' }],
  ['RS512', { hash: 'sha512', keyType: 'rsa' }],
])

/** Undefined when it is right. */
function problemOf(signature: JsonObject, payload: Uint8Array): string | undefined {
  const { header, signature: encoded, protected: protectedHeader } = signature
  if (!isObject(header) || typeof encoded !== 'string' || typeof protectedHeader !== 'string')
    return 'expected a header, a signature and what it protects'
  const algorithm = algorithms.get(header.alg)
  if (!algorithm) return `alg: expected one of ${[...algorithms.keys()].join(', ')}`
  try {
    const key = namedKey(header)
    if (!fits(key, algorithm)) return `expected a key for ${String(header.alg)}`
    const isRight = verify(
      algorithm.hash,
      signed(protectedHeader, payload),
      { key, dsaEncoding: 'ieee-p1363' },
      Buffer.from(encoded, 'base64url'),
    )
    return isRight ? undefined : 'it is not that of the key over this manifest'
  } catch (error) {
    return error instanceof Error ? error.message : 'expected a key'
  }
}

function fits({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject, { keyType, curve }: Algorithm): boolean {
  return asymmetricKeyType === keyType && asymmetricKeyDetails?.namedCurve === curve
}

/** RFC 7515 §5.1. */
function signed(protectedHeader: string, payload: Uint8Array): Buffer {
  return Buffer.from(`${protectedHeader}.${Buffer.from(payload).toString('base64url')}`)
}

function jwkOf(key: KeyObject): JsonObject {
  const publicKey = createPublicKey(key)
  const { crv, kty, x, y } = publicKey.export({ format: 'jwk' })
  return { crv, kid: trustKeyId(publicKey), kty, x, y }
}

function unverified(message: string): RegistryError {
  return new RegistryError('MANIFEST_UNVERIFIED', {
    message: `the manifest's signatures cannot be verified: ${message}`,
  })
}
