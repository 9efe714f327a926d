import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePlace } from '../../../cli/copy/place.ts'

test('a place is a registry, one image of it, or files', () => {
  const digest = `sha256:${'a'.repeat(64)}`
  assert.deepEqual(parsePlace('docker://r.example.com:5000'), {
    kind: 'docker',
    host: 'r.example.com:5000',
    image: undefined,
    reference: undefined,
  })
  assert.deepEqual(parsePlace('docker-v1://r.example.com/team/app:1.0'), {
    kind: 'docker-v1',
    host: 'r.example.com',
    image: 'team/app',
    reference: { tag: '1.0' },
  })
  assert.deepEqual(parsePlace(`docker://[::1]:5000/app@${digest}`), {
    kind: 'docker',
    host: '[::1]:5000',
    image: 'app',
    reference: { digest },
  })
  assert.deepEqual(parsePlace('oci:/var/layout'), { kind: 'oci', path: '/var/layout' })
})

test('what is no place is refused with what was expected, and a password in an address is not repeated', () => {
  for (const text of ['team/app', 'http://r.example.com', 'docker:r.example.com', 'oci:', 'docker://-r/app'])
    assert.throws(() => parsePlace(text), /expected/)
  for (const text of ['docker://r/Upper', 'docker://r/../app', 'docker://r/app:1@sha256:0', 'docker://r/app:'])
    assert.throws(() => parsePlace(text), /is no image|expected|not a digest/)
  assert.throws(
    () => parsePlace('docker://me:secret@r.example.com/app'),
    /^(?!.*secret).*user name stands in its own option/,
  )
})
