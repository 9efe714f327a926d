import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, sign, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import forge from 'node-forge'
import { digestOfManifest, payloadOf } from '../../../../registry/domain/manifest-digest.ts'
import { signedSchema1 } from '../../../../registry/domain/schema1/media-types.ts'
import { signSchema1, verifySchema1 } from '../../../../registry/domain/schema1/signatures.ts'
import { trustKeyId } from '../../../../registry/domain/schema1/trust-key.ts'

/** Its private part is 1, so that its public part is the curve's base point. */
const one = createPrivateKey({
  key: {
    kty: 'EC',
    crv: 'P-256',
    d: Buffer.from('01'.padStart(64, '0'), 'hex').toString('base64url'),
    x: 'axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY',
    y: 'T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU',
  },
  format: 'jwk',
})
const at = new Date('2015-06-01T12:00:00.987Z')
const indented = Buffer.from('{\n   "schemaVersion": 1,\n   "name": "größer"\n}')
const compact = Buffer.from('{"schemaVersion":1,"name":"größer"}')

test('a key has the id that libtrust gives it', () => {
  // From a program with github.com/docker/libtrust.
  assert.equal(trustKeyId(createPublicKey(one)), 'LTJF:F6YM:5CJS:INX2:7DGN:CBAJ:QG4J:5ZFN:NOP6:TYVC:W7TR:VLFS')
})

test('a signed manifest goes on as it began, and has its signature at the end', () => {
  const text = Buffer.from(signSchema1(indented, one, at)).toString()
  const [signature = ''] = /(?<="signature": ")[\w-]{86}(?=")/.exec(text) ?? []
  assert.equal(
    text,
    `{
   "schemaVersion": 1,
   "name": "größer",
   "signatures": [
      {
         "header": {
            "jwk": {
               "crv": "P-256",
               "kid": "LTJF:F6YM:5CJS:INX2:7DGN:CBAJ:QG4J:5ZFN:NOP6:TYVC:W7TR:VLFS",
               "kty": "EC",
               "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
               "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"
            },
            "alg": "ES256"
         },
         "signature": "${signature}",
         "protected": "${base64(`{"formatLength":${indented.length - 2},"formatTail":"Cn0","time":"2015-06-01T12:00:00Z"}`)}"
      }
   ]
}`,
  )
})

test('a manifest without white space is signed without any', () => {
  const text = Buffer.from(signSchema1(compact, one, at)).toString()
  assert.match(
    text,
    /^\{"schemaVersion":1,"name":"größer","signatures":\[\{"header":\{"jwk":\{"crv":"P-256",\S+\}\]\}$/,
  )
})

test('what is signed is what is read again, and its digest is that of what was signed', () => {
  for (const payload of [indented, compact, Buffer.from('{"a":1} \n'), Buffer.from('{\n\t"a": 1\n\n }\n')]) {
    const signed = signSchema1(payload, one, at)
    verifySchema1(signed)
    assert.deepEqual(Buffer.from(payloadOf(signedSchema1, signed)), payload)
    assert.equal(digestOfManifest(signedSchema1, signed, 'sha256'), `sha256:${hash('sha256', payload)}`)
  }
})

test('whatever is signed can be verified, and nothing else can be put in its place', () => {
  const object = fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue(), { minKeys: 1 })
  fc.assert(
    fc.property(object, fc.constantFrom(0, 1, 3), fc.nat(), (object, indent, place) => {
      const payload = Buffer.from(JSON.stringify(object, null, indent))
      const signed = Buffer.from(signSchema1(payload, one, at))
      verifySchema1(signed)
      const forged = Buffer.from(signed)
      const octet = place % (payload.length - 1)
      forged[octet] = (forged[octet] ?? 0) ^ 1
      assert.throws(() => verifySchema1(forged), { code: 'MANIFEST_UNVERIFIED' })
    }),
    { numRuns: 50 },
  )
})

test('signatures by keys of other kinds are read, also several, and those of a certificate', () => {
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  verifySchema1(signedBy({ alg: 'ES384', key: p384.privateKey, header: { jwk: jwk(p384.publicKey) } }))
  const byRsa = { alg: 'RS256', key: rsa.privateKey, header: { jwk: jwk(rsa.publicKey) } }
  const byChain = { ...byRsa, header: { x5c: [certificateOf(rsa.privateKey)] } }
  verifySchema1(signedBy(byRsa))
  verifySchema1(signedBy(byChain, byRsa))
})

const own = { alg: 'ES256', key: one, header: { jwk: jwk(createPublicKey(one)) } }
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const refused: Readonly<Record<string, readonly [text: () => Uint8Array, message: RegExp]>> = {
  'no signatures': [() => compact, /expected signatures, or the media type for none$/],
  'an empty list of them': [() => signedBy(), /expected signatures/],
  'a signature of another key': [
    () => signedBy({ ...own, header: { jwk: jwk(other.publicKey) } }),
    /signatures\[0\]: it is not that of the key over this manifest$/,
  ],
  'one right signature and one wrong one': [
    () => signedBy(own, { ...own, header: { jwk: jwk(other.publicKey) } }),
    /signatures\[1\]: it is not that/,
  ],
  'the id of another key': [
    () => signedBy({ ...own, header: { jwk: { ...jwk(createPublicKey(one)), kid: trustKeyId(other.publicKey) } } }),
    /expected the kid to be that of the key/,
  ],
  'another algorithm than that of the key': [() => signedBy({ ...own, alg: 'ES384' }), /expected a key for ES384/],
  'an algorithm that nobody knows': [() => signedBy({ ...own, alg: 'none' }), /alg: expected one of ES256, /],
  'no key': [() => signedBy({ ...own, header: {} }), /expected a jwk or an x5c/],
  'a key that is none': [() => signedBy({ ...own, header: { jwk: { kty: 'EC' } } }), /signatures\[0\]: /],
  'a certificate that is none': [() => signedBy({ ...own, header: { x5c: ['AAAA'] } }), /signatures\[0\]: /],
  'more signatures than anybody makes': [
    () => signedBy(...Array.from({ length: 33 }, () => own)),
    /expected at most 32/,
  ],
  'something besides the signatures': [
    () => replaced(signedBy(own), '"signatures"', '"fsLayers":[],"signatures"'),
    /expected nothing but the signatures behind what was signed/,
  ],
  'signatures that are about different texts': [
    () => replaced(signedBy(own, own), '"protected":"', '"protected":"e30","was":"'),
    /expected each signature to say the same formatLength and formatTail/,
  ],
}
for (const [what, [text, message]] of Object.entries(refused))
  test(`a manifest with ${what} is not verified`, () => {
    assert.throws(() => verifySchema1(text()), { code: 'MANIFEST_UNVERIFIED', message })
  })

interface Signer {
  readonly alg: string
  readonly key: KeyObject
  readonly header: object
}

/** As libtrust would sign {@link compact}. */
function signedBy(...signers: readonly Signer[]): Uint8Array {
  const protectedHeader = base64(`{"formatLength":${compact.length - 1},"formatTail":"${base64('}')}"}`)
  const input = Buffer.from(`${protectedHeader}.${compact.toString('base64url')}`)
  const signatures = signers.map(({ alg, key, header }) => ({
    header: { ...header, alg },
    signature: sign(`sha${alg === 'ES384' ? 384 : 256}`, input, { key, dsaEncoding: 'ieee-p1363' }).toString(
      'base64url',
    ),
    protected: protectedHeader,
  }))
  return Buffer.from(`${compact.toString().slice(0, -1)},"signatures":${JSON.stringify(signatures)}}`)
}

function jwk(key: KeyObject): object {
  return { ...key.export({ format: 'jwk' }), kid: trustKeyId(key) }
}

function certificateOf(key: KeyObject): string {
  const certificate = forge.pki.createCertificate()
  const privateKey = forge.pki.privateKeyFromPem(key.export({ type: 'pkcs1', format: 'pem' }))
  certificate.publicKey = forge.pki.setRsaPublicKey(privateKey.n, privateKey.e)
  certificate.validity.notBefore = new Date('2015-01-01')
  certificate.validity.notAfter = new Date('2016-01-01')
  certificate.sign(privateKey, forge.md.sha256.create())
  return Buffer.from(forge.asn1.toDer(forge.pki.certificateToAsn1(certificate)).getBytes(), 'latin1').toString('base64')
}

function replaced(text: Uint8Array, from: string, to: string): Uint8Array {
  return Buffer.from(Buffer.from(text).toString().replace(from, to))
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64url')
}
