import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import type { Answer, Login, RegistryClient } from '../../helpers/registry-client.ts'
import { admin as adminLogin, startTestRegistry, type TestRegistry } from '../../helpers/registry.ts'
import { tinyImage } from '../../helpers/tiny-image.ts'

const challenges = ['token', 'basic'] as const
const forces = [false, '', 'all', true, ['forced']] as const
const keys = ['forced', 'free'] as const
type Key = (typeof keys)[number]

interface Setting {
  readonly challenge: (typeof challenges)[number]
  readonly forceAuthentication: (typeof forces)[number]
  readonly anonymousAccess: boolean
}

const settings: readonly Setting[] = challenges.flatMap((challenge) =>
  forces.flatMap((forceAuthentication) =>
    [true, false].map((anonymousAccess) => ({ challenge, forceAuthentication, anonymousAccess })),
  ),
)

const base = (key: Key | undefined): string => (key === undefined ? '/v2' : `/artifactory/api/docker/${key}/v2`)
const image = tinyImage('hello')

async function start(setting: Setting): Promise<TestRegistry> {
  const registry = await startTestRegistry({
    ...setting,
    repositories: { forced: { type: 'local' }, free: { type: 'local' } },
  })
  for (const key of keys) await registry.admin.at(base(key)).push('hello', '1', image)
  return registry
}

// Artifactory's table, in words of its own.

/** Whether anonymous gets in at all; without a key: to some repository. */
function admits({ forceAuthentication: force, anonymousAccess }: Setting, key: Key | undefined): boolean {
  if (!anonymousAccess || force === true || force === 'all') return false
  return typeof force !== 'object' || key !== 'forced'
}

/** Whether whoever has shown nothing is asked for a login by a ping. Without a key: when some repository wants one. */
function asks(setting: Setting, key: Key | undefined): boolean {
  if (setting.challenge === 'token' || !admits(setting, key)) return true
  return key === undefined && typeof setting.forceAuthentication === 'object'
}

interface Expected {
  readonly status: number
  readonly challenge: 'Bearer' | 'Basic' | undefined
}

const plain = (status: number): Expected => ({ status, challenge: undefined })

const questions = ['ping', 'pull', 'push', 'token'] as const
type Question = (typeof questions)[number]

function expected(setting: Setting, question: Question, key: Key | undefined, credentials: Credentials): Expected {
  const challenged = { status: 401, challenge: setting.challenge === 'token' ? 'Bearer' : 'Basic' } as const
  const atTokens = { status: 401, challenge: 'Basic' } as const
  if (credentials === 'bad') return question === 'token' ? atTokens : challenged
  if (credentials === 'good') return plain(question === 'push' ? 202 : 200)
  switch (question) {
    case 'ping':
      return asks(setting, key) ? challenged : plain(200)
    case 'pull':
      return admits(setting, key) ? plain(200) : challenged
    case 'push':
      // Where anonymous is tried first, what it may not is an error and no question.
      return setting.challenge === 'basic' && admits(setting, key) ? plain(403) : challenged
    case 'token':
      return admits(setting, key) ? plain(200) : atTokens
  }
}

type Credentials = 'none' | 'good' | 'bad'

function* cells(): Generator<readonly [Question, Key | undefined, Credentials]> {
  for (const key of [undefined, ...keys])
    for (const question of questions) {
      if (key === undefined && (question === 'pull' || question === 'push')) continue
      for (const credentials of ['none', 'good'] as const) yield [question, key, credentials]
    }
  // Each costs a hash.
  yield ['ping', undefined, 'bad']
  yield ['pull', 'free', 'bad']
  yield ['push', 'forced', 'bad']
  yield ['token', 'forced', 'bad']
}

async function askFor(client: RegistryClient, question: Question): Promise<Answer> {
  switch (question) {
    case 'ping':
      return client.ask('GET', '')
    case 'pull':
      return client.ask('GET', 'hello/manifests/1')
    case 'push':
      return client.ask('POST', 'hello/blobs/uploads/')
    case 'token':
      return client.ask('GET', 'token?service=registry.test')
  }
}

function seen({ status, headers }: Answer): Expected {
  const kind = /^\w+/.exec(headers['www-authenticate'] ?? '')?.[0]
  return { status, challenge: kind === 'Bearer' || kind === 'Basic' ? kind : undefined }
}

// Clients of docker.

interface Challenge {
  readonly kind: string
  readonly parameters: Readonly<Record<string, string>>
}

function challengeIn({ status, headers }: Answer): Challenge | undefined {
  const header = headers['www-authenticate']
  if (status !== 401 || header === undefined) return undefined
  const parameters = [...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value] as const)
  return { kind: header.slice(0, header.indexOf(' ')), parameters: Object.fromEntries(parameters) }
}

/** Docker 1.6 to 1.9: the ping of the address decides whether, and how, anything is shown. */
class OldClient {
  protected readonly plain: RegistryClient
  protected readonly login: Login | undefined

  constructor(plain: RegistryClient, login: Login | undefined) {
    this.plain = plain
    this.login = login
  }

  /** Without a challenge there: "no successful auth challenge". */
  async logsIn(): Promise<boolean> {
    const ping = await this.plain.ask('GET', '')
    const challenge = challengeIn(ping)
    const client = challenge && (await this.answering(challenge, []))
    return client !== undefined && (await client.ask('GET', '')).status === 200
  }

  async pulls(name: string): Promise<boolean> {
    const answer = await this.send('GET', `${name}/manifests/1`, [`repository:${name}:pull`])
    return answer?.status === 200
  }

  async pushes(name: string): Promise<boolean> {
    const answer = await this.send('POST', `${name}/blobs/uploads/`, [`repository:${name}:pull,push`])
    return answer?.status === 202
  }

  protected async send(method: string, path: string, scopes: readonly string[]): Promise<Answer | undefined> {
    const challenge = challengeIn(await this.plain.ask('GET', ''))
    const client = challenge ? await this.answering(challenge, scopes) : this.plain
    return client?.ask(method, path)
  }

  /** What it asks with from then on. Undefined when it is given no token. */
  protected async answering(
    { kind, parameters }: Challenge,
    scopes: readonly string[],
  ): Promise<RegistryClient | undefined> {
    const own = this.login ? this.plain.as(this.login) : this.plain
    if (kind === 'Basic') return own
    const query = new URLSearchParams({ service: parameters['service'] ?? '' })
    if (this.login) query.set('account', this.login.name)
    for (const scope of scopes) query.append('scope', scope)
    const answer = await own.ask('GET', `${parameters['realm']}?${query.toString()}`)
    if (answer.status !== 200) return undefined
    return this.plain.withToken(z.object({ token: z.string() }).parse(answer.json()).token)
  }
}

/** Docker of today: an address that answers a ping at once takes any login; and what a request is answered with is obeyed too. */
class NewClient extends OldClient {
  override async logsIn(): Promise<boolean> {
    return (await this.plain.ask('GET', '')).status === 200 || (await super.logsIn())
  }

  protected override async send(method: string, path: string, scopes: readonly string[]): Promise<Answer | undefined> {
    const first = await super.send(method, path, scopes)
    const challenge = first && challengeIn(first)
    if (!challenge) return first
    const { scope } = challenge.parameters
    return (await this.answering(challenge, scope === undefined ? scopes : [scope]))?.ask(method, path)
  }
}

for (const setting of settings)
  test(`with ${JSON.stringify(setting)} everybody is asked for a login where Artifactory does`, async () => {
    await using registry = await start(setting)
    const wrong: unknown[] = []
    let bad = 0
    for (const [question, key, credentials] of cells()) {
      const plain = registry.anonymous.at(base(key))
      const as = {
        none: plain,
        good: plain.as(adminLogin),
        bad: plain.as({ name: `bad${(bad += 1)}`, password: 'bad' }),
      }
      const was = seen(await askFor(as[credentials], question))
      const wanted = expected(setting, question, key, credentials)
      if (was.status !== wanted.status || was.challenge !== wanted.challenge)
        wrong.push({ question, key, credentials, was, wanted })
    }
    assert.deepEqual(wrong, [])

    for (const [Client, isOld] of [
      [OldClient, true],
      [NewClient, false],
    ] as const)
      for (const address of [undefined, ...keys]) {
        const plain = registry.anonymous.at(base(address))
        const [user, stranger] = [new Client(plain, adminLogin), new Client(plain, undefined)]
        const impostor = new Client(plain, { name: `${isOld}-${address}`, password: 'bad' })
        const at = `${isOld ? 'old' : 'new'} at ${base(address)}`
        const isAsked = asks(setting, address)
        assert.equal(await user.logsIn(), isAsked || !isOld, `login, ${at}`)
        assert.equal(await impostor.logsIn(), !isAsked && !isOld, `login with a wrong password, ${at}`)
        for (const key of address === undefined ? keys : [address]) {
          const name = address === undefined ? `${key}/hello` : 'hello'
          assert.equal(await stranger.pulls(name), admits(setting, key), `anonymous pull of ${name}, ${at}`)
          assert.equal(await stranger.pushes(name), false, `anonymous push of ${name}, ${at}`)
          const isShown = isAsked || (!isOld && !admits(setting, key))
          assert.equal(await user.pulls(name), isShown || admits(setting, key), `pull of ${name}, ${at}`)
          assert.equal(await user.pushes(name), isShown, `push of ${name}, ${at}`)
        }
      }
  })

test('by default login, anonymous pull and a push with a login go on one address, with old clients and new ones', async () => {
  await using registry = await startTestRegistry({ repositories: { free: { type: 'local' } } })
  await registry.admin.at(base('free')).push('hello', '1', image)
  for (const Client of [OldClient, NewClient]) {
    const plain = registry.anonymous.at(base('free'))
    const user = new Client(plain, adminLogin)
    assert.ok(await user.logsIn())
    assert.ok(await user.pushes('hello'))
    assert.ok(await new Client(plain, undefined).pulls('hello'))
    assert.ok(!(await new Client(plain, { ...adminLogin, password: 'wrong' }).logsIn()))
  }
})
