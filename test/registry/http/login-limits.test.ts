import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Answer, RegistryClient } from '../../helpers/registry-client.ts'
import { startTestRegistry } from '../../helpers/registry.ts'
import { accessToken, addUser } from '../../helpers/users.ts'

const registry = await startTestRegistry()
const distrustful = await startTestRegistry({ trustedProxies: ['192.0.2.0/24'] })
after(() => registry[Symbol.asyncDispose]())
after(() => distrustful[Symbol.asyncDispose]())
const { anonymous } = registry
const bob = await addUser(registry, 'bob')

/** As the gateway hands on a request from this address. */
function from(address: string, client: RegistryClient = anonymous): RegistryClient {
  return client.with({ 'x-forwarded-for': address })
}

/** Some at once: an answer to a wrong password takes its time. */
async function wrongPasswords(client: RegistryClient, count: number, name?: string): Promise<readonly Answer[]> {
  const wrong = Array.from({ length: count }, (_, index) => ({
    name: name ?? `user${index}`,
    password: `wrong ${index}`,
  }))
  return Promise.all(wrong.map(async (login) => client.as(login).ask('GET', '')))
}

function statuses(answers: readonly Answer[]): Readonly<Record<number, number>> {
  const counted: Record<number, number> = {}
  for (const { status } of answers) counted[status] = (counted[status] ?? 0) + 1
  return counted
}

test('after five wrong passwords a client is told to wait, and how long', async () => {
  const client = from('198.51.100.1')
  const answers = await wrongPasswords(client, 8, 'nobody')
  assert.deepEqual(statuses(answers), { 401: 5, 429: 3 })
  const refused = answers.find(({ status }) => status === 429)
  assert.ok(refused)
  assert.equal(refused.error(), 'TOOMANYREQUESTS')
  assert.equal(refused.headers['retry-after'], '1')
  assert.equal(refused.headers['www-authenticate'], undefined)
})

test('it is so at the token endpoint in both its forms, and at the REST API', async () => {
  const client = from('198.51.100.2')
  await wrongPasswords(client, 50)
  const login = client.as({ name: 'nobody', password: 'x' })
  const form = new URLSearchParams({ grant_type: 'password', username: 'nobody', password: 'x' }).toString()
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  for (const answer of [
    await login.ask('GET', 'token'),
    await client.ask('POST', 'token', { headers, body: form }),
    await login.ask('GET', '/artifactory/api/repositories'),
  ]) {
    assert.equal(answer.status, 429)
    assert.ok(Number(answer.headers['retry-after']) >= 1)
  }
})

test('a flood of wrong passwords is not looked at beyond what one after the other would be', async () => {
  const answers = statuses(await wrongPasswords(from('198.51.100.3'), 200, 'flooded'))
  assert.deepEqual(answers, { 401: 5, 429: 195 })
})

test('who has logged in, who shows a token, and who shows nothing go on behind an address that is closed', async () => {
  const nat = from('198.51.100.4')
  const known = nat.as(bob)
  const token = nat.withToken(await known.token('repository:hello:pull'))
  const { token: secret } = await accessToken(registry, 'bob')
  assert.deepEqual(statuses(await wrongPasswords(nat, 60)), { 401: 50, 429: 10 })
  for (const client of [known, token, nat.as({ name: 'bob', password: secret }), nat.withToken(secret)])
    assert.equal((await client.ask('GET', '')).status, 200)
  assert.equal((await nat.ask('GET', '')).status, 401)
  assert.equal((await nat.ask('GET', '_catalog')).status, 200)
})

test('nothing in an answer tells whether there is such a user', async () => {
  const seen = await Promise.all(
    ['bob', 'nobody', 'admin'].map(async (name, index) => {
      const client = from(`198.51.100.${50 + index}`)
      const answers = await wrongPasswords(client, 7, name)
      return answers
        .map(({ status, headers, body }) => JSON.stringify([status, headers['www-authenticate'], body.toString()]))
        .toSorted()
    }),
  )
  assert.deepEqual(seen[1], seen[0])
  assert.deepEqual(seen[2], seen[0])
})

test('of a stranger the address is its own, whatever it says of it', async () => {
  const stranger = distrustful.anonymous.over({ host: '127.0.0.1', port: distrustful.port })
  const answers = await Promise.all(
    Array.from({ length: 8 }, async (_, index) =>
      from(`198.51.100.${index}`, stranger)
        .with({ 'x-real-ip': `198.51.100.${index}` })
        .as({ name: 'x', password: `${index}` })
        .ask('GET', ''),
    ),
  )
  assert.deepEqual(statuses(answers), { 401: 5, 429: 3 })
})

test('of a proxy that is trusted the last address counts, not what the client wrote before it', async () => {
  const answers = await Promise.all(
    Array.from({ length: 8 }, async (_, index) =>
      from(`10.0.0.${index}, 198.51.100.99`)
        .as({ name: 'x', password: `${index}` })
        .ask('GET', ''),
    ),
  )
  assert.deepEqual(statuses(answers), { 401: 5, 429: 3 })
})

test('one network of IPv6 is one address', async () => {
  const answers = await Promise.all(
    Array.from({ length: 8 }, async (_, index) =>
      from(`2001:db8:1:2:${index}::1`)
        .as({ name: 'y', password: `${index}` })
        .ask('GET', ''),
    ),
  )
  assert.deepEqual(statuses(answers), { 401: 5, 429: 3 })
  assert.equal((await from('2001:db8:1:3::1').as({ name: 'y', password: 'x' }).ask('GET', '')).status, 401)
})
