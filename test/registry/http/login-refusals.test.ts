import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Answer } from '../../helpers/registry-client.ts'
import { startTestRegistry } from '../../helpers/registry.ts'
import { tinyImage } from '../../helpers/tiny-image.ts'
import { addUser, makeToken, onAccess, target } from '../../helpers/users.ts'

const registry = await startTestRegistry()
after(() => registry[Symbol.asyncDispose]())
const { anonymous } = registry
const deployer = anonymous.as(await addUser(registry, 'deployer'))
await onAccess(registry, (access) =>
  access.putTarget(target('Anything', { users: { anonymous: ['read'], deployer: ['read', 'deploy'] } })),
)

function messageOf(answer: Answer): string | undefined {
  const { errors } = answer.json() as { readonly errors: readonly { readonly message: string }[] }
  return errors[0]?.message
}

test('a token that has expired is not called a wrong password, by GET or by POST', async () => {
  const { token: password } = await makeToken(registry, 'deployer', new Date(Date.now() - 2 * 86_400_000))
  const reason = 'the access token has expired, was revoked, or is not of this user'
  const expired = anonymous.as({ name: 'deployer', password })
  for (const path of ['', 'token']) {
    const refused = await expired.ask('GET', path)
    assert.equal(refused.status, 401)
    assert.equal(messageOf(refused), reason)
  }
  const form = new URLSearchParams({ grant_type: 'password', username: 'deployer', password }).toString()
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const posted = await anonymous.ask('POST', 'token', { headers, body: form })
  assert.equal(posted.status, 401)
  const errors = [{ code: 'UNAUTHORIZED', message: reason }]
  assert.deepEqual(posted.json(), { error: 'invalid_grant', error_description: reason, errors })
})

test('somebody who goes on with a token that has ended locks nobody out', async () => {
  const { token: password } = await makeToken(registry, 'deployer', new Date(0))
  const ended = anonymous.as({ name: 'deployer', password })
  for (let times = 0; times < 60; times++) assert.equal((await ended.ask('GET', '')).status, 401)
  const others = [await addUser(registry, 'another'), await addUser(registry, 'one-more')]
  for (const login of others) assert.equal((await anonymous.as(login).ask('GET', '')).status, 200)
})

test('who may not move a tag is told which one, and what it takes', async () => {
  await deployer.push('hello', '1', tinyImage('a'))
  const moved = tinyImage('b')
  for (const blob of moved.blobs) await deployer.pushBlob('hello', blob)
  const refused = await deployer.putManifest('hello', '1', moved)
  assert.equal(refused.status, 403)
  assert.equal(refused.error(), 'DENIED')
  assert.equal(messageOf(refused), 'the tag 1 is there already: who moves or removes it needs the right to delete')
})
