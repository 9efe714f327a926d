import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { hashPassword } from '../../../registry/identity/passwords.ts'
import { openPasswordCheck } from '../../../registry/identity/verified-passwords.ts'
import type { UserSource } from '../../../registry/identity/user-source.ts'
import { openSqliteMetadata } from '../../../registry/storage/sqlite-metadata.ts'
import { identityOn } from '../../helpers/identity.ts'
import { userNamed } from '../../helpers/users.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

const directory = await temporaryDirectory()
const users = await openSqliteMetadata(`${directory.path}/users.db`)
after(async () => {
  await users[Symbol.asyncDispose]()
  await directory[Symbol.asyncDispose]()
})
await users.addUser(userNamed('dev', { passwordHash: await hashPassword('right password') }))

/** As a login does it. */
async function openCheck() {
  const check = await openPasswordCheck(identityOn(users))
  return async (name: string, password: string) =>
    (await check.recall(name, password)) ?? (await check.verify(name, password))
}

async function cpuMs(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

test('a right password is verified once and then remembered, also when five connections send it at once', async () => {
  const check = await openCheck()
  const first = await cpuMs(() => check('dev', 'right password'))
  const next = await cpuMs(async () => {
    for (let count = 0; count < 10; count += 1) assert.equal((await check('dev', 'right password'))?.name, 'dev')
  })
  assert.ok(next < first, `ten remembered checks cost ${next} ms, the first one ${first} ms`)

  const fresh = await openCheck()
  const five = await cpuMs(() => Promise.all(Array.from({ length: 5 }, () => fresh('dev', 'right password'))))
  assert.ok(five < 3 * first, `five at once cost ${five} ms, one ${first} ms`)
})

test('a wrong password costs a verification each time, and an unknown user no less', async () => {
  const check = await openCheck()
  const wrong = await cpuMs(() => check('dev', 'wrong password'))
  const again = await cpuMs(() => check('dev', 'wrong password'))
  const unknown = await cpuMs(() => check('nobody', 'wrong password'))
  for (const cost of [again, unknown]) assert.ok(cost > wrong / 3, `${cost} ms against ${wrong} ms`)
  assert.equal(await check('nobody', 'right password'), undefined)
})

test('a changed password is forgotten, and so is a removed user', async () => {
  const check = await openCheck()
  await users.addUser(userNamed('changing', { passwordHash: await hashPassword('first password') }))
  assert.ok(await check('changing', 'first password'))
  await users.changeUser('changing', { passwordHash: await hashPassword('second password') })
  assert.equal(await check('changing', 'first password'), undefined)
  assert.ok(await check('changing', 'second password'))
  await users.removeUser('changing')
  assert.equal(await check('changing', 'second password'), undefined)
})

test('a robot has no password, whatever is kept for it', async () => {
  const check = await openCheck()
  const passwordHash = await hashPassword('robot password')
  await users.addUser(userNamed('robot', { kind: 'robot', passwordHash }))
  assert.equal(await check('robot', 'robot password'), undefined)
})

test('a user whom another system calls anonymous, or what is no name here, is nobody', async () => {
  const named = (name: string): UserSource => {
    const user = { name, email: undefined, groups: [], admin: true }
    return { realm: 'ldap', checkPassword: async () => user, findUser: async () => user }
  }
  for (const [name, known] of [
    ['carol', true],
    ['anonymous', false],
    ['a b', false],
    ['', false],
  ] as const) {
    const check = await openPasswordCheck(identityOn(users, {}, [named(name)]))
    assert.equal((await check.verify('somebody', 'secret'))?.name, known ? name : undefined)
  }
})
