import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test, type TestContext } from 'node:test'
import { parseConfig } from '../../../cli/config.ts'
import { RegistryError } from '../../../registry/domain/errors.ts'
import { openLdap } from '../../../registry/identity/ldap.ts'
import type { UserSource } from '../../../registry/identity/user-source.ts'
import { withoutPrograms } from '../../helpers/available.ts'
import { freePort } from '../../helpers/free-port.ts'
import { keepLog, type KeptLog } from '../../helpers/kept-log.ts'
import { createAuthority, type Authority } from '../../helpers/openssl-authority.ts'
import { open as readable, searcher, startSlapd, suffix, type Slapd } from '../../helpers/slapd.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

const people = `ou=people,${suffix}`
const others = `ou=others,${suffix}`
const groups = `ou=groups,${suffix}`

const unit = (dn: string) => `dn: ${dn}\nobjectClass: organizationalUnit\n`

const person = (dn: string, password: string, ...lines: readonly string[]) =>
  [`dn: ${dn}`, 'objectClass: inetOrgPerson', 'cn: x', 'sn: x', `userPassword: ${password}`, ...lines, ''].join('\n')

const group = (name: string, ...members: readonly string[]) =>
  [`dn: cn=${name},${groups}`, 'objectClass: groupOfNames', ...members.map((dn) => `member: ${dn}`), ''].join('\n')

const alice = `uid=Alice,${people}`
const bob = `uid=bob,${people}`
/** A name in which everything has a meaning somewhere. */
const odd = `cn=Odd\\2C (very)*\\5Cx,${people}`

const entries = [
  unit(people),
  unit(others),
  unit(groups),
  unit(readable),
  person(`uid=carol,${readable}`, 'of carol'),
  person(alice, 'of alice', 'mail: alice@us.test', 'mail: second@us.test'),
  person(bob, 'of bob'),
  person(odd, 'of odd', 'uid: odd', 'cn: Odd, (very)*\\x'),
  person(`uid=twin,${people}`, 'of twin', 'mail: one@us.test'),
  person(`uid=twin,${others}`, 'of twin', 'mail: two@us.test'),
  person(`uid=many,${people}`, 'of many', 'uid: more'),
  person(`uid=white space,${people}`, 'of white space'),
  person(`uid=anonymous,${people}`, 'of anonymous'),
  `dn: uid=locked,${people}\nobjectClass: inetOrgPerson\ncn: x\nsn: x\n`,
  `dn: ou=elsewhere,${people}\nobjectClass: referral\nobjectClass: extensibleObject\nref: ldap://127.0.0.1:1/${people}\n`,
  group('devs', alice, bob, odd),
  group('Admins', alice),
  group('lonely', `uid=nobody,${people}`),
].join('\n')

describe('ldap', { skip: withoutPrograms('slapd', 'openssl') }, () => {
  let slapd: Slapd
  let authority: Authority
  const made = new AsyncDisposableStack()

  before(async () => {
    authority = made.use(await createAuthority())
    slapd = made.use(await startSlapd(entries, await authority.issue(['localhost'])))
    process.env.CAISSON_TEST_SEARCHER = searcher.password
  })
  after(() => made.disposeAsync())

  const usual = () => ({
    url: `ldap://127.0.0.1:${slapd.plainPort}` as unknown,
    bindDn: searcher.dn,
    bindPassword: { env: 'CAISSON_TEST_SEARCHER' },
    users: { base: suffix } as object,
    groups: { base: groups } as object,
  })

  async function directory(t: TestContext, more: object = {}): Promise<UserSource & { readonly kept: KeptLog }> {
    const kept = keepLog()
    const source = await openLdap(ldapConfig({ ...usual(), ...more }), kept.log)
    t.after(async () => {
      await source[Symbol.asyncDispose]()
      assert.doesNotMatch(kept.text(), /of (alice|bob|the searcher)/, 'a password is in the log')
    })
    return {
      realm: source.realm,
      checkPassword: (name, password) => source.checkPassword(name, password),
      findUser: (name) => source.findUser(name),
      kept,
    }
  }

  let marks = 0
  /** What the server wrote meanwhile, and a connection that searches anonymously: its log comes later than its answers. */
  async function logOf(work: () => Promise<unknown>): Promise<string> {
    const mark = async () => {
      const name = `mark${(marks += 1)}`
      const anonymous = { bindDn: undefined, bindPassword: undefined, users: { base: readable } }
      await using source = await openLdap(ldapConfig({ ...usual(), ...anonymous }), keepLog().log)
      await source.findUser(name)
      await slapd.says(new RegExp(`uid=${name}\\)`))
    }
    await mark()
    const before = slapd.log().length
    await work()
    await mark()
    return slapd.log().slice(before)
  }

  test('the right password makes a user with address and groups, called as the directory does, in lower case', async (t) => {
    const ldap = await directory(t)
    const expected = { name: 'alice', email: 'alice@us.test', groups: ['Admins', 'devs'], admin: false }
    for (const login of ['alice', 'ALICE', 'Alice']) {
      const user = await ldap.checkPassword(login, 'of alice')
      assert.deepEqual(user && { ...user, groups: [...user.groups].sort() }, expected)
    }
    assert.deepEqual(await ldap.checkPassword('bob', 'of bob'), {
      name: 'bob',
      email: undefined,
      groups: ['devs'],
      admin: false,
    })
    assert.deepEqual(ldap.kept.messages('warn'), [])
  })

  test('a wrong password, an unknown user and one without a password are nobody', async (t) => {
    const ldap = await directory(t)
    for (const [login, password] of [
      ['alice', 'of bob'],
      ['alice', 'of alice '],
      ['mallory', 'of alice'],
      ['locked', 'x'],
      ['', 'of alice'],
      ['x'.repeat(1000), 'of alice'],
    ] as const)
      assert.equal(await ldap.checkPassword(login, password), undefined, login)
    assert.deepEqual(ldap.kept.messages('error'), [])
  })

  test('an empty password is refused before the directory could take it for an anonymous bind', async (t) => {
    const ldap = await directory(t, { url: `ldap://127.0.0.1:${await freePort()}` })
    assert.equal(await ldap.checkPassword('alice', ''), undefined)
    assert.deepEqual(ldap.kept.messages('error'), [])
  })

  test('a login is a value in the filter, whatever it looks like', async (t) => {
    const ldap = await directory(t)
    for (const login of ['*', 'ali*', '*)(uid=*', 'alice)(uid=alice', 'alice)(|(uid=*', '\\61lice', 'alice\0', '{dn}'])
      for (const password of ['of alice', 'of bob']) assert.equal(await ldap.checkPassword(login, password), undefined)
    assert.deepEqual(ldap.kept.messages('error'), [])
    assert.deepEqual(ldap.kept.messages('warn'), [])
  })

  test('so is an entry whose name is full of signs', async (t) => {
    const ldap = await directory(t)
    assert.deepEqual((await ldap.checkPassword('odd', 'of odd'))?.groups, ['devs'])
  })

  test('with a mapping only mapped groups count, and the members of one group are admins', async (t) => {
    const groupMapping = { DEVS: ['developers', 'people'], admins: 'people', lonely: 'lonely' }
    const ldap = await directory(t, { groupMapping, adminGroup: 'admins' })
    const user = await ldap.checkPassword('alice', 'of alice')
    assert.deepEqual([[...(user?.groups ?? [])].sort(), user?.admin], [['developers', 'people'], true])
    assert.equal((await ldap.checkPassword('bob', 'of bob'))?.admin, false)
    const none = await directory(t, { groupMapping: {} })
    assert.deepEqual((await none.checkPassword('bob', 'of bob'))?.groups, [])
  })

  test('groups may name their members otherwise, and there may be none', async (t) => {
    const byName = await directory(t, {
      groups: { base: groups, filter: '(member=uid={name},ou=people,dc=us,dc=test)' },
    })
    assert.deepEqual((await byName.checkPassword('bob', 'of bob'))?.groups, ['devs'])
    const without = await directory(t, { groups: undefined })
    assert.deepEqual((await without.checkPassword('bob', 'of bob'))?.groups, [])
  })

  test('who cannot be told from others, or has no user name, cannot log in, and the log says why', async (t) => {
    const ldap = await directory(t)
    for (const login of ['twin', 'many', 'more', 'white space', 'anonymous'])
      assert.equal(await ldap.checkPassword(login, `of ${login === 'more' ? 'many' : login}`), undefined, login)
    assert.deepEqual(ldap.kept.messages('warn'), [
      'a user of the directory cannot log in: several entries have the name',
      ...Array.from({ length: 4 }, () => 'a user of the directory cannot log in: uid is not one user name'),
    ])
  })

  test('who logs in by an e-mail address has the name of the directory, and never that of somebody else', async (t) => {
    const users = { base: suffix, filter: '(mail={name})' }
    const ldap = await directory(t, { users })
    assert.equal((await ldap.checkPassword('Second@us.test', 'of alice'))?.name, 'alice')
    assert.equal((await ldap.findUser('alice'))?.name, 'alice')
    assert.equal(await ldap.findUser('bob'), undefined, 'bob has no address, so the filter is about no such user')
    assert.equal(await ldap.checkPassword('one@us.test', 'of twin'), undefined)
  })

  test('a user is found without a password, as long as the filter is about that user', async (t) => {
    const ldap = await directory(t)
    assert.equal((await ldap.findUser('alice'))?.email, 'alice@us.test')
    for (const name of ['mallory', 'twin', '*', 'anonymous', '']) assert.equal(await ldap.findUser(name), undefined)
    const fewer = await directory(t, { users: { base: suffix, filter: '(&(uid={name})(mail=*))' } })
    assert.ok(await fewer.findUser('alice'))
    assert.equal(await fewer.findUser('bob'), undefined)
  })

  test('what was found is known for a minute', async (t) => {
    const ldap = await directory(t)
    await ldap.findUser('alice')
    await ldap.findUser('mallory')
    await ldap.checkPassword('bob', 'of bob')
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
    const searches = await logOf(async () => {
      for (const name of ['alice', 'Alice', 'mallory', 'bob']) await ldap.findUser(name)
    })
    assert.doesNotMatch(searches, /uid=(alice|mallory|bob)/)
    t.mock.timers.tick(61_000)
    assert.match(await logOf(() => ldap.findUser('alice')), /uid=alice/)
  })

  test('one connection is kept for searching; passwords have their own, and all are closed', async () => {
    const log = await logOf(async () => {
      await using source = await openLdap(ldapConfig(usual()), keepLog().log)
      await Promise.all(Array.from({ length: 5 }, () => source.checkPassword('alice', 'of alice')))
      await source.checkPassword('alice', 'wrong')
    })
    const opened = [...log.matchAll(/conn=(\d+) fd=\d+ ACCEPT/g)].map(([, id]) => id)
    assert.equal(opened.length, 1 + 6 + 1, 'for searching, for six passwords and for the mark in the log')
    for (const id of opened) await slapd.says(new RegExp(`conn=${id} .*closed`))
  })

  test('without a service account the search is anonymous, and its refusal is no wrong password', async (t) => {
    const anonymous = { bindDn: undefined, bindPassword: undefined, groups: undefined }
    const ldap = await directory(t, { ...anonymous, users: { base: readable } })
    assert.ok(await ldap.checkPassword('carol', 'of carol'))
    assert.equal(await ldap.checkPassword('carol', 'of alice'), undefined)
    const refused = await directory(t, anonymous)
    await assert.rejects(refused.checkPassword('alice', 'of alice'), unavailable)
    const elsewhere = await directory(t, { users: { base: 'dc=elsewhere,dc=test' } })
    await assert.rejects(elsewhere.checkPassword('alice', 'of alice'), unavailable)
  })

  test('a service account that is refused is no wrong password', async (t) => {
    const ldap = await directory(t, { bindDn: `cn=nobody,${suffix}` })
    await assert.rejects(ldap.checkPassword('alice', 'of alice'), unavailable)
    await assert.rejects(ldap.findUser('alice'), unavailable)
    assert.match(ldap.kept.messages('error')[0] ?? '', /an LDAP server cannot be asked/)
  })

  test('TLS from the start and TLS begun later are verified against the authority, for the name of the host', async (t) => {
    const [tls, plain] = [`ldaps://localhost:${slapd.tlsPort}`, `ldap://localhost:${slapd.plainPort}`]
    const ca = authority.file
    for (const secure of [
      { url: tls, ca },
      { url: plain, startTls: true, ca },
    ]) {
      const ldap = await directory(t, secure)
      assert.ok(await ldap.checkPassword('alice', 'of alice'))
      assert.ok(await ldap.findUser('bob'))
    }
    await using other = await createAuthority()
    const log = await logOf(async () => {
      for (const refused of [
        { url: tls, ca: other.file },
        { url: plain, startTls: true, ca: other.file },
        { url: tls },
        { url: `ldaps://127.0.0.1:${slapd.tlsPort}`, ca },
        { url: `ldap://127.0.0.1:${slapd.plainPort}`, startTls: true, ca },
      ]) {
        const ldap = await directory(t, refused)
        await assert.rejects(ldap.checkPassword('alice', 'of alice'), unavailable)
      }
    })
    assert.doesNotMatch(log, / BIND dn=/, 'a password was sent to a server that is not the one')
  })

  test('a server that is down is no wrong password, and is asked again when it is back', async (t) => {
    const ldap = await directory(t)
    const secure = await directory(t, {
      url: `ldap://localhost:${slapd.plainPort}`,
      startTls: true,
      ca: authority.file,
    })
    for (const source of [ldap, secure]) assert.ok(await source.checkPassword('alice', 'of alice'))
    await slapd.stop()
    for (const source of [ldap, secure]) {
      await assert.rejects(source.checkPassword('alice', 'of alice'), unavailable)
      await assert.rejects(source.findUser('odd'), unavailable)
      assert.ok(await source.findUser('alice'), 'for a minute nobody notices')
    }
    await slapd.startAgain()
    for (const source of [ldap, secure]) assert.ok(await source.checkPassword('alice', 'of alice'))
  })

  test('a kept connection that broke is opened again within the same question', async (t) => {
    const ldap = await directory(t)
    assert.ok(await ldap.findUser('alice'))
    await slapd.stop()
    await slapd.startAgain()
    assert.deepEqual(
      (await Promise.all(['bob', 'odd', 'locked'].map((name) => ldap.findUser(name)))).map((user) => user?.name),
      ['bob', 'odd', 'locked'],
    )
    assert.deepEqual(ldap.kept.messages('error'), [])
  })

  test('of several servers the next is asked when one is down, and then first', async (t) => {
    const url = [`ldap://127.0.0.1:${await freePort()}`, `ldap://127.0.0.1:${slapd.plainPort}`]
    const ldap = await directory(t, { url })
    for (const login of ['alice', 'alice', 'bob']) assert.ok(await ldap.checkPassword(login, `of ${login}`))
    assert.equal(await ldap.checkPassword('bob', 'wrong'), undefined)
    assert.equal(ldap.kept.messages('error').length, 1)
  })
})

test('a server that says nothing is given up on in time, in TLS and without', async (t) => {
  const sockets: Socket[] = []
  const silent = createServer((socket) => void sockets.push(socket.resume())).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.after(() => silent.close())
  const { port } = silent.address() as AddressInfo
  for (const secure of [
    { url: `ldap://127.0.0.1:${port}` },
    { url: `ldap://127.0.0.1:${port}`, startTls: true },
    { url: `ldaps://127.0.0.1:${port}` },
  ]) {
    const kept = keepLog()
    await using ldap = await openLdap(ldapConfig({ ...secure, users: { base: suffix }, timeout: '300ms' }), kept.log)
    const started = performance.now()
    await Promise.all([
      assert.rejects(ldap.checkPassword('alice', 'of alice'), unavailable),
      assert.rejects(ldap.findUser('alice'), unavailable),
    ])
    const tookMs = performance.now() - started
    assert.ok(tookMs >= 290 && tookMs < 3000, `${tookMs} ms`)
    assert.deepEqual(new Set(kept.messages('error')), new Set(['an LDAP server did not answer within 300ms']))
    await Promise.all(sockets.map(async (socket) => socket.closed || (await once(socket, 'close'))))
  }
})

test('what the configuration names must be there', async () => {
  const open = async (more: object) =>
    openLdap(ldapConfig({ url: 'ldap://127.0.0.1', users: { base: suffix }, ...more }), keepLog().log)
  await assert.rejects(open({ bindDn: 'cn=a', bindPassword: { env: 'CAISSON_NOT_SET' } }), /CAISSON_NOT_SET is not set/)
  await assert.rejects(open({ ca: '/nowhere/ca.crt' }), /\/nowhere\/ca\.crt: registry\.ldap\.ca is no file/)
  await using directory = await temporaryDirectory()
  const empty = join(directory.path, 'ca.crt')
  await writeFile(empty, 'nothing')
  await assert.rejects(open({ ca: empty }), /ca\.crt: registry\.ldap\.ca is no file of certificates/)
})

/** The section `registry.ldap` as it is in effect. */
function ldapConfig(ldap: object) {
  const config = parseConfig(JSON.stringify({ registry: { ldap } }), 'test').registry.ldap
  assert.ok(config)
  return config
}

function unavailable(error: unknown): boolean {
  return error instanceof RegistryError && error.code === 'UNAVAILABLE'
}
