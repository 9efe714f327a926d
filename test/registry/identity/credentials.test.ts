import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCredentials } from '../../../registry/identity/credentials.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')

test('Basic and Bearer are understood in any case; the first colon ends the name', () => {
  for (const scheme of ['Basic', 'basic', 'BASIC'])
    assert.deepEqual(parseCredentials(`${scheme} ${base64('dev:pass:wörd')}`), {
      kind: 'password',
      name: 'dev',
      password: 'pass:wörd',
    })
  assert.deepEqual(parseCredentials(`Basic ${base64('dev:')}`), { kind: 'password', name: 'dev', password: '' })
  assert.deepEqual(parseCredentials('bearer a.b-c_d'), { kind: 'token', token: 'a.b-c_d' })
})

test('an empty name with an empty password is no credentials; one of them alone is', () => {
  assert.deepEqual(parseCredentials(`Basic ${base64(':')}`), { kind: 'none' })
  assert.deepEqual(parseCredentials(`Basic ${base64(':x')}`), { kind: 'password', name: '', password: 'x' })
})

for (const header of [
  '',
  'Basic',
  'Basic ',
  'Bearer',
  'Bearer a b',
  `Basic ${base64('dev')}`,
  'Basic =',
  'Negotiate abc',
  base64('a:b'),
])
  test(`"${header}" is refused`, () => {
    assert.throws(() => parseCredentials(header), { code: 'UNAUTHORIZED' })
  })
