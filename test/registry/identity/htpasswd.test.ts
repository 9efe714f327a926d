import { hash } from '@node-rs/bcrypt'
import assert from 'node:assert/strict'
import { rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openHtpasswd } from '../../../registry/identity/htpasswd.ts'
import type { UserSource } from '../../../registry/identity/user-source.ts'
import { withoutPrograms } from '../../helpers/available.ts'
import { keepLog, type KeptLog } from '../../helpers/kept-log.ts'
import { run } from '../../helpers/program.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

/** The hash is the same for passwords like these, whichever of its spellings it has. */
const hashed = async (password: string, cost = 4, version = '2y') =>
  (await hash(password, cost)).replace(/^\$2.\$/, `$$${version}$$`)
const alice = `alice:${await hashed('of alice')}\n`
const bob = `bob:${await hashed('of bob')}\n`

interface Opened {
  readonly source: UserSource
  readonly file: string
  readonly kept: KeptLog
  /** Ten seconds pass. */
  readonly later: () => void
  /** The same, and at the end of them the file was written so long ago. */
  readonly change: (text: string, agoMs?: number) => Promise<void>
}

async function opened(t: TestContext, text: string, groups: string[] = []): Promise<Opened> {
  const directory = await temporaryDirectory()
  t.after(() => directory[Symbol.asyncDispose]())
  const file = join(directory.path, 'users')
  let clock = Date.now()
  const later = () => void (clock += 10_000)
  const change = async (content: string, agoMs = 5_000) => {
    later()
    await writeFile(file, content)
    const modified = (clock - agoMs) / 1000
    await utimes(file, modified, modified)
  }
  await change(text)
  const kept = keepLog()
  return { source: await openHtpasswd({ file, groups }, kept.log, () => clock), file, kept, later, change }
}

test('a user of the file logs in with the password of the file, and is in the configured groups', async (t) => {
  const { source } = await opened(t, alice + bob, ['devs'])
  const expected = { name: 'alice', email: undefined, groups: ['devs'], admin: false }
  const loggedIn = await source.checkPassword('alice', 'of alice')
  const { passwordStamp, ...rest } = loggedIn ?? {}
  assert.deepEqual(rest, expected)
  assert.deepEqual(await source.findUser('alice'), loggedIn)
  assert.notEqual((await source.findUser('bob'))?.passwordStamp, passwordStamp)
  for (const [name, password] of [
    ['alice', 'of bob'],
    ['alice', ''],
    ['Alice', 'of alice'],
    ['mallory', 'of alice'],
    ['', ''],
  ] as const)
    assert.equal(await source.checkPassword(name, password), undefined)
  assert.equal(await source.findUser('mallory'), undefined)
})

test('all three spellings of bcrypt count, and so do comments, blank lines and line ends of Windows', async (t) => {
  const versions = await Promise.all(
    (['2a', '2b', '2y'] as const).map(async (version) => `u${version}:${await hashed('x', 4, version)}`),
  )
  const { source, kept } = await opened(t, `# people\r\n\r\n${versions.join('\r\n')}\r\n`)
  for (const name of ['u2a', 'u2b', 'u2y']) assert.equal((await source.checkPassword(name, 'x'))?.name, name)
  assert.deepEqual(kept.messages('warn'), [])
})

test('what does not count is told once, by line number, with what to do and without the hash', async (t) => {
  const md5 = 'carol:$apr1$lZL6V/ci$eIMz/iKDkbtys/uU7LEK00\n'
  const sha = 'dave:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n'
  const others = `:x\nanonymous:${await hashed('x')}\nno colon\n${bob}`
  const { source, kept, later } = await opened(t, md5 + alice + bob + sha + others)
  assert.equal(await source.checkPassword('carol', 'password'), undefined)
  assert.equal(await source.checkPassword('dave', 'password'), undefined)
  assert.equal(await source.findUser('anonymous'), undefined)
  assert.ok(await source.checkPassword('bob', 'of bob'))
  later()
  await source.findUser('bob')
  const [warning = '', ...more] = kept.messages('warn')
  assert.deepEqual(more, [])
  assert.match(warning, /lines 1, 4: the password is not hashed with bcrypt.*"htpasswd -B"/)
  assert.match(warning, /lines 5, 6: .*not a user name: expected at most 64/)
  assert.match(warning, /line 7: expected a user name, ":" and a hash/)
  assert.match(warning, /line 8: the user stands further up already/)
  assert.doesNotMatch(kept.text(), /apr1|eIMz|W6ph|\$2y\$/)
})

test('a changed file counts within a second, by whatever way it changed', async (t) => {
  const { source, file, later, change } = await opened(t, alice)
  await change(alice + bob)
  assert.ok(await source.checkPassword('bob', 'of bob'))

  await change(`alice:${await hashed('another')}\n${bob}`)
  assert.equal(await source.checkPassword('alice', 'of alice'), undefined)
  assert.ok(await source.checkPassword('alice', 'another'))

  const { mtime } = await stat(file)
  await writeFile(`${file}.new`, `alice:${await hashed('renamed')}\n${bob}`)
  await utimes(`${file}.new`, mtime, mtime)
  await rename(`${file}.new`, file)
  later()
  assert.ok(await source.checkPassword('alice', 'renamed'))

  await change(bob)
  assert.equal(await source.findUser('alice'), undefined)
  assert.ok(await source.findUser('bob'))
})

test('two changes that look the same from outside both count', async (t) => {
  const { source, change } = await opened(t, alice)
  await change(`alice:${await hashed('first')}\n`, 500)
  assert.ok(await source.checkPassword('alice', 'first'))
  await change(`alice:${await hashed('second')}\n`, 10_500)
  assert.ok(await source.checkPassword('alice', 'second'))
})

test('a file that vanished or cannot be read leaves the users as they were, with one error in the log', async (t) => {
  const { source, file, kept, later, change } = await opened(t, alice)
  await rm(file)
  for (const _ of [1, 2]) {
    later()
    assert.ok(await source.checkPassword('alice', 'of alice'))
  }
  assert.deepEqual(kept.messages('error'), ['the password file cannot be read; its users stay who they were'])
  await change(bob)
  assert.equal(await source.findUser('alice'), undefined)
  assert.ok(await source.findUser('bob'))
})

test('a file that is being written is taken when all of it is there, or nobody goes on', async (t) => {
  const { source, later, change } = await opened(t, alice + bob)
  for (const half of ['', alice.slice(0, 30)]) {
    await change(half, 500)
    assert.ok(await source.findUser('bob'))
  }
  later()
  assert.equal(await source.findUser('bob'), undefined)
})

test('without a file there is no start, and it is named', async () => {
  await assert.rejects(
    openHtpasswd({ file: '/nowhere/users', groups: [] }, keepLog().log),
    /^Error: \/nowhere\/users: the password file of registry\.htpasswd cannot be read/,
  )
})

test('a user who is not there costs as much as one who is', async (t) => {
  const { source } = await opened(t, `alice:${await hashed('of alice', 10)}\n`)
  const wrong = await cpuMs(() => source.checkPassword('alice', 'wrong'))
  const unknown = await cpuMs(() => source.checkPassword('nobody', 'wrong'))
  assert.ok(unknown > wrong / 3, `${unknown} ms against ${wrong} ms`)
  assert.equal(await source.checkPassword('nobody', 'of alice'), undefined)
})

test(
  'what the htpasswd program makes is understood, and what it makes without -B is not',
  { skip: withoutPrograms('htpasswd') },
  async (t) => {
    const { source, file, later, kept } = await opened(t, '')
    await run('htpasswd', ['-i', '-B', file, 'erin'], { input: 'of erin\n' })
    await run('htpasswd', ['-i', '-B', '-C', '6', file, 'frank'], { input: 'of frank\n' })
    await run('htpasswd', ['-i', '-m', file, 'grace'], { input: 'of grace\n' })
    later()
    assert.ok(await source.checkPassword('erin', 'of erin'))
    assert.ok(await source.checkPassword('frank', 'of frank'))
    assert.equal(await source.checkPassword('grace', 'of grace'), undefined)
    assert.match(kept.messages('warn')[0] ?? '', /line 3: .*"htpasswd -B"/)
  },
)

async function cpuMs(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
