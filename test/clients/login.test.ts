import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { z } from 'zod'
import { without } from '../helpers/available.ts'
import { adminPassword } from '../helpers/caisson.ts'
import { loginOf, openCompany } from '../helpers/company.ts'
import type { Company } from '../helpers/company.ts'
import { dockerClients, startDockerEngine } from '../helpers/docker-engine.ts'
import type { DockerClient, DockerEngine } from '../helpers/docker-engine.ts'
import { refused } from '../helpers/outcome.ts'
import type { Login } from '../helpers/registry-client.ts'
import { writeTar } from '../helpers/small-tar.ts'
import { makeStandingToken, makeToken, onAccess } from '../helpers/users.ts'

const admin = { name: 'admin', password: adminPassword }
const dayMs = 86_400_000
const configForm = z.strictObject({
  auths: z.record(z.string(), z.strictObject({ auth: z.string(), identitytoken: z.string().optional() })),
})

describe(
  'docker where people may do different things',
  { skip: without('docker', 'dockerd', 'containerd', 'runc') },
  () => {
    const resources = new AsyncDisposableStack()
    let company: Company
    let engine: DockerEngine

    before(async () => {
      company = resources.use(
        await openCompany({
          users: ['alice', 'bob', 'carol', 'dave'],
          robots: ['builder'],
          repositories: {
            red: { users: { alice: ['read'], bob: ['deploy'] } },
            blue: { users: { alice: ['deploy'], bob: ['read'] } },
            green: {
              users: { alice: ['read', 'deploy'], carol: ['read', 'deploy'], builder: ['read', 'deploy'] },
              immutableTags: ['**/v*'],
            },
          },
        }),
      )
      engine = await startDockerEngine(company.machine)
    })
    after(async () => resources.disposeAsync())

    for (const program of dockerClients) {
      const client = `${basename(program)} of ${dirname(program)}`
      /** Of this client's tests alone. */
      const imageIn = (repository: string, name: string) =>
        `${company.host(repository)}/${name}/of${dirname(program).replaceAll('/', '-')}:1`

      test(`${client} logs three people in to three hosts at once, and logs one of them out`, async () => {
        const person = await engine.client(program)
        const logins = { red: 'alice', blue: 'bob', green: 'carol' } as const
        for (const [repository, name] of Object.entries(logins)) await logIn(person, repository, loginOf(name))
        assert.deepEqual(await loggedIn(person), ['blue:bob', 'green:carol', 'red:alice'])

        await person.run('logout', company.host('red'))

        assert.deepEqual(await loggedIn(person), ['blue:bob', 'green:carol'])
        const image = imageIn('green', 'three')
        await make(person, image)
        await person.run('push', image)
        await make(person, imageIn('red', 'three'))
        refused(await person.attempt('pull', imageIn('red', 'three')), /pull access denied|unauthorized|denied/)
      })

      for (const [repository, pusher, puller] of [
        ['red', 'bob', 'alice'],
        ['blue', 'alice', 'bob'],
      ] as const)
        test(`${client}: in ${repository} ${pusher} pushes and may not pull, ${puller} pulls and may not push`, async () => {
          const [pushing, pulling] = [await engine.client(program), await engine.client(program)]
          await logIn(pushing, repository, loginOf(pusher))
          await logIn(pulling, repository, loginOf(puller))
          const image = imageIn(repository, 'rights')
          await make(pushing, image)

          const push = await pulling.attempt('push', image)
          refused(push, new RegExp(`denied: ${puller} may not deploy in \\S+ of the repository ${repository}`))
          assert.deepEqual(await tagsOf(repository, image), [])
          await pushing.run('push', image)

          const id = await imageId(pushing, image)
          await pushing.run('rmi', '--force', id)
          const pull = await pushing.attempt('pull', image)
          refused(pull, new RegExp(`denied: ${pusher} may not read in \\S+ of the repository ${repository}`))
          assert.notEqual((await pushing.attempt('image', 'inspect', image)).exitCode, 0)
          assert.match(await pulling.run('pull', image), /Pull complete/)
          assert.equal(await imageId(pulling, image), id)
        })

      test(`${client} says that a password is wrong, and keeps no login`, async () => {
        const person = await engine.client(program)
        const wrong = await person.login(company.host('green'), 'dave', 'not the password')
        refused(wrong, /unauthorized: wrong user name or password/)
        assert.deepEqual(await loggedIn(person), [])
      })

      test(`${client} works with an access token of a robot until that is revoked`, async () => {
        const robot = await engine.client(program)
        const { token, record } = await makeToken(company.caisson, 'builder')
        await logIn(robot, 'green', { name: 'builder', password: token })
        assert.deepEqual(await loggedIn(robot), ['green:builder:token in place of the password'])
        const image = imageIn('green', 'token')
        await make(robot, image)
        await pushAndPull(robot, image)

        await onAccess(company.caisson, (access) => access.removeToken(record.id))

        const reason = /unauthorized: the access token has expired, was revoked, or is not of this user/
        refused(await robot.attempt('push', image), reason)
        refused(await robot.attempt('pull', image), reason)
      })

      test(`${client} says that an access token has expired, or is somebody else's`, async () => {
        const robot = await engine.client(program)
        const old = await makeToken(company.caisson, 'builder', new Date(Date.now() - 2 * dayMs))
        const good = await makeToken(company.caisson, 'builder')
        const reason = /unauthorized: the access token has expired, was revoked, or is not of this user/
        refused(await robot.login(company.host('green'), 'builder', old.token), reason)
        refused(await robot.login(company.host('green'), 'dave', good.token), reason)
      })

      test(`${client} keeps a refresh token in place of the password, which ends when it is revoked`, async () => {
        const person = await engine.client(program)
        await logIn(person, 'green', loginOf('carol'))
        const config = configForm.parse(JSON.parse(await readFile(person.configFile, 'utf8')))
        const { auth = '', identitytoken: refreshToken = '' } = config.auths[company.host('green')] ?? {}
        assert.equal(Buffer.from(auth, 'base64').toString(), 'carol:')
        assert.match(refreshToken, /^csn_/)
        const image = imageIn('green', 'refresh')
        await make(person, image)
        // Every command asks for a token anew, as all of them do when the last one has run out.
        await pushAndPull(person, image)

        await person.run('logout', company.host('green'))
        assert.deepEqual(await loggedIn(person), [])
        await writeFile(person.configFile, JSON.stringify(config))
        await person.run('pull', image)

        const [, id = ''] = refreshToken.split('_')
        assert.ok(await onAccess(company.caisson, (access) => access.removeToken(id)))
        const ended = /unauthorized: the refresh token is not valid or has expired: log in again/
        refused(await person.attempt('pull', image), ended)
        refused(await person.attempt('push', image), ended)
      })

      test(`${client} works with what /v2/auth says belongs into its configuration, and with an API key`, async () => {
        const registry = await company.client('green')
        const answer = await registry.as(loginOf('alice')).ask('GET', 'auth?format=config.json')
        const apiKey = await makeStandingToken(company.caisson, 'alice', 'api key')
        const byHand = { auths: { [company.host('green')]: { auth: base64(`alice:${apiKey}`) } } }
        for (const [name, content] of Object.entries({ encrypted: answer.body, key: JSON.stringify(byHand) })) {
          const person = await engine.client(program)
          await writeFile(person.configFile, content)
          const image = imageIn('green', name)
          await make(person, image)
          await pushAndPull(person, image)
        }
      })

      test(`${client} is refused to move a tag without the right to delete, and any immutable one`, async () => {
        const [person, boss] = [await engine.client(program), await engine.client(program)]
        await logIn(person, 'green', loginOf('carol'))
        await logIn(boss, 'green', admin)
        const image = imageIn('green', 'moved')
        await make(person, image)
        const id = await imageId(person, image)
        await person.run('push', image)
        const fixed = image.replace(/1$/, 'v1')
        await boss.run('tag', image, fixed)
        await boss.run('push', fixed)

        for (const tag of [image, fixed]) await make(person, tag, 'another')
        const move = await person.attempt('push', image)
        refused(move, /denied: the tag 1 is there already: who moves or removes it needs the right to delete/)
        refused(await boss.attempt('push', fixed), /denied: the tag v1 is immutable: green has it in its immutableTags/)

        for (const tag of [image, fixed]) {
          await person.run('pull', tag)
          assert.equal(await imageId(person, tag), id)
        }
        await make(boss, image, 'another')
        await boss.run('push', image)
      })
    }

    async function logIn(person: DockerClient, repository: string, { name, password }: Login): Promise<void> {
      const { exitCode, stdout, stderr } = await person.login(company.host(repository), name, password)
      assert.equal(exitCode, 0, stderr)
      assert.match(stdout, /Login Succeeded/)
    }

    /** `<repository>:<user>`, and what it has for the password when that is no refresh token. */
    async function loggedIn({ configFile }: DockerClient): Promise<readonly string[]> {
      const text = await readFile(configFile, 'utf8').catch(() => '{}')
      const { auths } = configForm.partial().parse(JSON.parse(text))
      return Object.entries(auths ?? {})
        .map(([host, { auth }]) => {
          const [user, secret = ''] = Buffer.from(auth, 'base64').toString().split(':')
          const kept = secret === '' ? '' : `:${secret.startsWith('csn_') ? 'token in place of the password' : secret}`
          return `${host.slice(0, host.indexOf('.'))}:${user}${kept}`
        })
        .sort()
    }

    /** An image of one small layer; other content gives another image. */
    async function make(person: DockerClient, image: string, content = image): Promise<void> {
      await person.run('import', await writeTar(company.machine, content), image)
    }

    async function pushAndPull(person: DockerClient, image: string): Promise<void> {
      const id = await imageId(person, image)
      await person.run('push', image)
      await person.run('rmi', '--force', id)
      assert.match(await person.run('pull', image), /Pull complete/)
      assert.equal(await imageId(person, image), id)
    }

    /** As somebody sees them who may see everything. */
    async function tagsOf(repository: string, image: string): Promise<readonly string[]> {
      const name = image.slice(image.indexOf('/') + 1, image.lastIndexOf(':'))
      const answer = await (await company.client(repository)).as(admin).ask('GET', `${name}/tags/list`)
      return answer.status === 404 ? [] : z.object({ tags: z.array(z.string()) }).parse(answer.json()).tags
    }
  },
)

async function imageId(person: DockerClient, image: string): Promise<string> {
  return person.run('image', 'inspect', '--format', '{{.Id}}', image)
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
