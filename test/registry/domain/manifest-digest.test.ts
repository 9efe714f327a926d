import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { digestOfManifest, payloadOf } from '../../../registry/domain/manifest-digest.ts'
import { signedSchema1 } from '../../../registry/domain/schema1/media-types.ts'

const payload = `{
   "schemaVersion": 1,
   "name": "library/nginx",
   "fsLayers": []
}`
const usualForm = { formatLength: payload.length - 2, formatTail: encoded('\n}') }
const right = `sha256:${hash('sha256', payload)}`

test('a signed manifest has the digest of what was signed, however it is signed', () => {
  assert.equal(digestOfManifest(signedSchema1, signed(usualForm), 'sha256'), right)
  assert.equal(digestOfManifest(signedSchema1, signed(usualForm, usualForm), 'sha256'), right)
  assert.equal(digestOfManifest(signedSchema1, signed(usualForm), 'sha512'), `sha512:${hash('sha512', payload)}`)
})

test('what somebody puts beside the signatures is no part of it', () => {
  const text = Buffer.from(signed(usualForm)).toString().replace('"signatures"', '"fsLayers": ["other"], "signatures"')
  assert.deepEqual((JSON.parse(text) as { fsLayers: unknown }).fsLayers, ['other'])
  assert.equal(digestOfManifest(signedSchema1, Buffer.from(text), 'sha256'), right)
  assert.equal(Buffer.from(payloadOf(signedSchema1, Buffer.from(text))).toString(), payload)
})

test('any other manifest has the digest of its bytes', () => {
  const bytes = signed(usualForm)
  for (const mediaType of [
    'application/vnd.docker.distribution.manifest.v1+json',
    'application/vnd.docker.distribution.manifest.v2+json',
  ]) {
    assert.equal(digestOfManifest(mediaType, bytes, 'sha256'), `sha256:${hash('sha256', bytes)}`)
  }
})

const unusable: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ['no signatures', Buffer.from(payload)],
  ['an empty list', signed()],
  ['signatures that disagree', signed(usualForm, { ...usualForm, formatLength: 5 })],
  ['a length beyond the end', signed({ ...usualForm, formatLength: 100_000 })],
  ['a negative length', signed({ ...usualForm, formatLength: -1 })],
  ['a length that is no number', signed({ ...usualForm, formatLength: '5' })],
  ['no tail', signed({ formatLength: 5 })],
  ['no JSON', Buffer.from('nothing')],
]
for (const [name, bytes] of unusable) {
  test(`a text with ${name} counts as a whole`, () => {
    assert.equal(digestOfManifest(signedSchema1, bytes, 'sha256'), `sha256:${hash('sha256', bytes)}`)
  })
}

function signed(...forms: readonly object[]): Uint8Array {
  const signatures = forms.map((form) => ({ signature: 'x', protected: encoded(JSON.stringify(form)) }))
  return Buffer.from(`${payload.slice(0, -2)},\n   "signatures": ${JSON.stringify(signatures)}\n}`)
}

function encoded(text: string): string {
  return Buffer.from(text).toString('base64url')
}
