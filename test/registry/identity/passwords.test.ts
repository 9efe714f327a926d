import assert from 'node:assert/strict'
import { argon2Sync } from 'node:crypto'
import { test } from 'node:test'
import { checkNewPassword, hashPassword, verifyPassword } from '../../../registry/identity/passwords.ts'

test('a hash is in the PHC format, with its own salt, and verifies its password alone', async () => {
  const [one, other] = await Promise.all([hashPassword('pässword'), hashPassword('pässword')])
  assert.match(one, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  assert.notEqual(one, other)
  assert.equal(await verifyPassword('pässword', one), true)
  assert.equal(await verifyPassword('password', one), false)
  assert.equal(await verifyPassword('', one), false)
})

test('a hash of another cost, as another program has made it, is verified by its own parameters', async () => {
  const [message, nonce] = ['secret', Buffer.from('somesaltsomesalt')]
  const tag = argon2Sync('argon2id', { message, nonce, memory: 1024, passes: 3, parallelism: 2, tagLength: 24 })
  const unpadded = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '')
  const encoded = `$argon2id$v=19$m=1024,t=3,p=2$${unpadded(nonce)}$${unpadded(tag)}`
  assert.equal(await verifyPassword('secret', encoded), true)
  assert.equal(await verifyPassword('Secret', encoded), false)
})

test('what is no such hash is an error, not a wrong password', async () => {
  for (const encoded of ['', 'secret', '$2b$12$abc', '$argon2i$v=19$m=1,t=1,p=1$YQ$YQ'])
    await assert.rejects(verifyPassword('secret', encoded), /not in the form/)
})

test('a new password has at least eight characters', () => {
  assert.throws(() => checkNewPassword('1234567'), /7 characters: expected at least 8/)
  assert.doesNotThrow(() => checkNewPassword('12345678'))
})
