import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { clientId, startOidcProvider } from '../../helpers/oidc-provider.ts'
import { locationOf, type Answer, type Question, type RegistryClient } from '../../helpers/registry-client.ts'
import { rest } from '../../helpers/rest.ts'
import { startTestRegistry } from '../../helpers/registry.ts'
import { addUser, makeStandingToken, onAccess } from '../../helpers/users.ts'

const paths = '/artifactory/api/oidc/company'
const sessionPath = '/artifactory/api/security/session'
const origin = 'https://registry.test'
const accounts = {
  alice: { preferred_username: 'alice', groups: ['developers', 'admins'] },
  bob: { preferred_username: 'bob', groups: [] },
  carol: { preferred_username: 'carol', groups: [] },
  taken: { preferred_username: 'admin' },
}
const provider = await startOidcProvider({
  redirectUris: [`${origin}${paths}/callback`, `http://registry.test${paths}/callback`],
  accounts,
})
after(() => provider[Symbol.asyncDispose]())
const { issuer } = provider
const registry = await startTestRegistry({
  oidc: {
    company: { issuer, clientId, adminGroup: 'admins' },
    jobs: { issuer, clientId, login: false },
    other: { issuer, clientId },
  },
})
after(() => registry[Symbol.asyncDispose]())

const overTls = registry.anonymous.with({ 'x-forwarded-proto': 'https' })

/** A browser, as far as the registry sees one: it keeps cookies, each with what it was given with. */
class Browser {
  readonly cookies = new Map<string, { readonly value: string; readonly attributes: readonly string[] }>()
  readonly #client: RegistryClient
  constructor(client = overTls) {
    this.#client = client
  }

  async ask(method: string, path: string, { headers = {}, ...question }: Question = {}): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, { value }]) => `${name}=${value}`).join('; ')
    const answer = await this.#client.ask(method, path, { ...question, headers: { cookie, ...headers } })
    for (const set of answer.headers['set-cookie'] ?? []) {
      const [pair = '', ...attributes] = set.split('; ')
      const [name = '', value = ''] = pair.split('=')
      if (attributes.includes('Max-Age=0')) this.cookies.delete(name)
      else this.cookies.set(name, { value, attributes })
    }
    return answer
  }

  async begin(returnTo = '/console'): Promise<string> {
    const begun = await this.ask('GET', `${paths}/login?returnTo=${encodeURIComponent(returnTo)}`)
    assert.equal(begun.status, 302, begun.body.toString())
    return locationOf(begun)
  }

  async logIn(account: string, returnTo?: string): Promise<Answer> {
    return await this.ask('GET', (await provider.logIn(await this.begin(returnTo), account)).href)
  }

  async user(): Promise<unknown> {
    const answer = await this.ask('GET', sessionPath)
    return answer.status === 200 ? (answer.json() as { user: unknown }).user : answer.status
  }
}

async function recordedOf(type: string, requestId: string): Promise<readonly Record<string, unknown>[]> {
  const { body } = await rest(registry.admin, 'GET', `security/audit?type=${type}`)
  const { entries } = body as { readonly entries: readonly Record<string, unknown>[] }
  return entries.filter((entry) => entry['requestId'] === requestId).map(({ at: _at, ...entry }) => entry)
}

test('who logs in comes back to where they were, has a session, and logs out', async () => {
  const browser = new Browser()
  assert.equal(await browser.user(), 401)
  const finished = await browser.logIn('alice', '/console?tab=images')
  assert.equal(finished.status, 302, finished.body.toString())
  assert.equal(finished.headers.location, '/console?tab=images')
  assert.equal(finished.headers['cache-control'], 'no-store')
  assert.equal(finished.headers['referrer-policy'], 'no-referrer')

  const session = await browser.ask('GET', sessionPath)
  assert.equal(session.status, 200)
  assert.equal(session.headers['cache-control'], 'no-store')
  const { expiresAt, ...known } = session.json() as { expiresAt: string }
  assert.deepEqual(known, {
    user: 'alice',
    groups: ['users', 'developers', 'admins'],
    admin: true,
    provider: 'company',
  })
  assert.ok(Date.parse(expiresAt) > Date.now())

  const { cookies } = browser
  const kept = new Map(cookies)
  const loggedOut = await browser.ask('DELETE', sessionPath, { headers: { 'sec-fetch-site': 'same-origin' } })
  assert.equal(loggedOut.status, 204)
  assert.equal(cookies.size, 0)
  for (const [name, cookie] of kept) cookies.set(name, cookie)
  assert.equal(await browser.user(), 401)
})

test('what is not there to log in with says so, and nobody is asked for a password of this registry', async () => {
  for (const name of ['unknown', 'jobs', 'constructor']) {
    for (const step of ['login', 'callback'])
      assert.equal((await overTls.ask('GET', `/artifactory/api/oidc/${name}/${step}`)).status, 404)
  }
  const answer = await overTls.ask('GET', sessionPath)
  assert.equal(answer.status, 401)
  assert.equal(answer.headers['www-authenticate'], undefined)
})

test('cookies are for this registry alone, not for scripts, and over TLS for nothing else', async () => {
  const browser = new Browser()
  await browser.begin()
  const pending = browser.cookies.get('caisson-login')
  assert.deepEqual(pending?.attributes, [`Path=${paths}`, 'HttpOnly', 'SameSite=Lax', 'Secure', 'Max-Age=600'])
  await browser.logIn('alice')
  assert.equal(browser.cookies.get('caisson-login'), undefined)
  const session = browser.cookies.get('caisson-session')
  assert.deepEqual(session?.attributes, ['Path=/', 'HttpOnly', 'SameSite=Lax', 'Secure'])

  const withoutTls = new Browser(registry.anonymous.with({ 'x-forwarded-proto': 'http' }))
  const location = await withoutTls.begin()
  assert.equal(new URL(location).searchParams.get('redirect_uri'), `http://registry.test${paths}/callback`)
  await withoutTls.logIn('alice')
  assert.ok(![...withoutTls.cookies.values()].some(({ attributes }) => attributes.includes('Secure')))
  assert.equal(await withoutTls.user(), 'alice')
})

test('a login cannot be finished in another browser than it was begun in', async () => {
  const [attacker, victim] = [new Browser(), new Browser()]
  const callback = await provider.logIn(await attacker.begin(), 'bob')
  const refused = await victim.ask('GET', callback.href)
  assert.equal(refused.status, 401)
  assert.equal(await victim.user(), 401)

  await victim.begin()
  assert.equal((await victim.ask('GET', callback.href)).status, 401)
  assert.equal(await victim.user(), 401)
  assert.equal((await attacker.ask('GET', callback.href)).status, 302)
})

test('a callback that comes again makes no second session', async () => {
  const browser = new Browser()
  const callback = await provider.logIn(await browser.begin(), 'alice')
  const before = new Map(browser.cookies)
  assert.equal((await browser.ask('GET', callback.href)).status, 302)
  assert.equal((await browser.ask('GET', callback.href)).status, 401)
  assert.equal(await browser.user(), 'alice')

  const thief = new Browser()
  for (const [name, cookie] of before) thief.cookies.set(name, cookie)
  assert.equal((await thief.ask('GET', callback.href)).status, 401)
  assert.equal(await thief.user(), 401)
})

test('a login with one provider is not finished with another', async () => {
  const browser = new Browser()
  const callback = await provider.logIn(await browser.begin(), 'alice')
  const elsewhere = callback.href.replace('/oidc/company/', '/oidc/other/')
  assert.equal((await browser.ask('GET', elsewhere)).status, 401)
  assert.equal(await browser.user(), 401)
})

test('a session that somebody else has planted is not the one that a login makes', async () => {
  const [attacker, victim] = [new Browser(), new Browser()]
  await attacker.logIn('bob')
  const planted = attacker.cookies.get('caisson-session')
  assert.ok(planted)
  victim.cookies.set('caisson-session', planted)
  await victim.logIn('alice')
  assert.notEqual(victim.cookies.get('caisson-session')?.value, planted.value)
  assert.equal(await victim.user(), 'alice')
  assert.equal(await attacker.user(), 401)
})

test('nobody is sent to another host', async () => {
  for (const returnTo of ['//evil.test', '/\\evil.test', 'https://evil.test', 'javascript:alert(1)', '/a\r\nx: y']) {
    const answer = await overTls.ask('GET', `${paths}/login?returnTo=${encodeURIComponent(returnTo)}`)
    assert.equal(answer.status, 400)
    assert.equal(answer.headers.location, undefined)
    assert.equal(answer.headers['set-cookie'], undefined)
  }
  const browser = new Browser()
  const finished = await browser.ask('GET', (await provider.logIn(await browser.begin('/'), 'alice')).href)
  assert.equal(finished.headers.location, '/')
})

test('an error of the provider is told in words of ours, and ends the login', async () => {
  const browser = new Browser()
  const callback = await provider.refuse(await browser.begin())
  callback.searchParams.set('error_description', '<script>alert(1)</script>')
  const answer = await browser.ask('GET', callback.href)
  assert.equal(answer.status, 401)
  assert.equal(answer.headers['content-type'], 'application/json')
  assert.match(answer.body.toString(), /access_denied/)
  assert.ok(!answer.body.includes('script'))
  assert.equal(browser.cookies.size, 0)
  assert.match(String(registry.log.findLast(({ msg }) => msg === 'login failed')?.['reason']), /access_denied/)
})

test('a name that belongs to another realm is refused, and codes and cookies are never in the log', async () => {
  const browser = new Browser()
  const callback = await provider.logIn(await browser.begin(), 'taken')
  const { value: pending = '' } = browser.cookies.get('caisson-login') ?? {}
  const answer = await browser.ask('GET', callback.href)
  assert.equal(answer.status, 403)
  assert.match(answer.body.toString(), /admin is the name of a user who does not come from company/)
  assert.equal(await browser.user(), 401)

  await browser.logIn('alice')
  const { value: session = '' } = browser.cookies.get('caisson-session') ?? {}
  const lines = JSON.stringify(registry.log)
  for (const secret of [pending, session, callback.searchParams.get('code') ?? ''])
    assert.ok(secret !== '' && !lines.includes(secret))
})

test('who logs in, and what comes to nothing, is recorded with the provider and where it came from', async () => {
  const browser = new Browser(overTls.with({ 'x-forwarded-for': '203.0.113.9', 'x-request-id': 'one' }))
  await browser.logIn('alice')
  await browser.ask('GET', (await provider.refuse(await browser.begin())).href)
  await browser.logIn('taken')
  const from = { with: 'oidc:company', address: '203.0.113.9', requestId: 'one' }
  assert.deepEqual(await recordedOf('login', 'one'), [{ type: 'login', by: 'alice', ...from }])
  const [denied, refused] = await recordedOf('login.failed', 'one')
  const reason = 'admin is the name of a user who does not come from company'
  assert.deepEqual(denied, { type: 'login.failed', ...from, reason })
  assert.match(String(refused?.['reason']), /it answers access_denied$/)
})

test('a session is worth nothing once its name is that of somebody whom the provider does not know', async () => {
  const browser = new Browser()
  await browser.logIn('carol')
  assert.equal(await browser.user(), 'carol')
  assert.equal((await browser.ask('GET', '/artifactory/api/security/users/carol')).status, 200)
  await onAccess(registry, (access) => access.removeUser('carol'))
  assert.equal(await browser.user(), 401)
  await addUser(registry, 'carol')
  assert.equal(await browser.user(), 401)
  assert.equal((await browser.ask('GET', '/artifactory/api/security/users/carol')).status, 401)
})

test('a key that is shown beside a session is what counts', async () => {
  const browser = new Browser()
  await browser.logIn('alice')
  const ask = async (key: string) =>
    (await browser.ask('GET', '/artifactory/api/security/audit', { headers: { 'x-jfrog-art-api': key } })).status
  assert.equal(await ask(await makeStandingToken(registry, 'bob', 'api key')), 403)
  assert.equal(await ask('wrong'), 401)
  assert.equal(await ask(await makeStandingToken(registry, 'alice', 'api key')), 200)
})

test('another site can log nobody out', async () => {
  const browser = new Browser()
  await browser.logIn('alice')
  for (const headers of [{}, { origin: 'https://evil.test' }, { 'sec-fetch-site': 'same-site', origin }])
    assert.equal((await browser.ask('DELETE', sessionPath, { headers })).status, 403)
  assert.equal(await browser.user(), 'alice')
  assert.equal((await browser.ask('DELETE', sessionPath, { headers: { origin } })).status, 204)
  assert.equal(await browser.user(), 401)
})

test('a registry whose secret or authority is missing does not start, and says which', async () => {
  const start = (more: object) => startTestRegistry({ oidc: { company: { issuer, clientId, ...more } } })
  const unset = start({ clientSecret: { env: 'CAISSON_TEST_NOT_SET' } })
  await assert.rejects(
    unset,
    /^Error: registry\.oidc\.company: the environment variable CAISSON_TEST_NOT_SET is not set$/,
  )
  await assert.rejects(start({ ca: '/nowhere/ca.crt' }), /^Error: registry\.oidc\.company: ENOENT.*\/nowhere\/ca\.crt/)
})
