import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { without } from '../helpers/available.ts'
import { writeBuildContext } from '../helpers/build-context.ts'
import { loginOf, openCompany } from '../helpers/company.ts'
import type { Company, CompanyPlan } from '../helpers/company.ts'
import { startDockerEngine } from '../helpers/docker-engine.ts'
import type { DockerEngine } from '../helpers/docker-engine.ts'
import { done, refused } from '../helpers/outcome.ts'
import { peopleOf } from '../helpers/people.ts'
import type { ClientName, People, Person } from '../helpers/people.ts'
import type { Login } from '../helpers/registry-client.ts'
import { makeToken } from '../helpers/users.ts'

const everybody = {
  anonymous: ['read'],
  alice: ['read', 'deploy'],
  dave: ['read'],
  builder: ['read', 'deploy'],
} as const
const plan = (forceAuthentication: boolean | readonly string[]): CompanyPlan => ({
  users: ['alice', 'dave', 'wrong-at-docker', 'wrong-at-podman', 'wrong-at-buildah', 'wrong-at-skopeo'],
  robots: ['builder'],
  repositories: {
    open: { users: everybody },
    forced: { users: everybody },
    basic: { users: everybody, challenge: 'basic' },
  },
  hosts: { paths: { repositoryFrom: 'path', challenge: 'basic' } },
  registry: { forceAuthentication },
})

/** What the clients print without a login, and for a wrong password. */
const ofOneLibrary = { needsLogin: /unauthorized/, wrong: /invalid username\/password/ }
const says = {
  docker: {
    needsLogin:
      /unauthorized: no token is given here without a login|denied: requested access|no basic auth credentials/,
    wrong: /unauthorized: wrong user name or password|401 Unauthorized/,
  },
  podman: ofOneLibrary,
  buildah: ofOneLibrary,
  skopeo: ofOneLibrary,
} satisfies Readonly<Record<ClientName, object>>

describe(
  'where a login is asked for',
  { skip: without('docker', 'dockerd', 'containerd', 'ctr', 'runc', 'podman', 'buildah', 'skopeo') },
  () => {
    const resources = new AsyncDisposableStack()
    let company: Company
    let closed: Company
    let engine: DockerEngine
    let people: People
    let robot: Login

    before(async () => {
      company = resources.use(await openCompany(plan(['forced', 'basic'])))
      closed = resources.use(await openCompany(plan(true), company))
      engine = await startDockerEngine(company.machine)
      people = await peopleOf(company.machine, engine)
      robot = { name: 'builder', password: (await makeToken(company.caisson, 'builder')).token }
      const alice = await people('docker')
      for (const registry of [...['open', 'forced', 'basic'].map((key) => company.host(key)), closed.host('open')]) {
        done(await alice.login(registry, loginOf('alice')))
        done(await alice.push(`${registry}/seed:1`))
      }
    })
    after(async () => resources.disposeAsync())

    for (const client of ['docker', 'podman', 'buildah', 'skopeo'] as const) {
      const { needsLogin, wrong } = says[client]

      test(`${client} pulls without a login, and pushes with one at the same address`, async () => {
        const [person, reader] = [await people(client), await people(client)]
        const registry = company.host('open')
        done(await person.pull(`${registry}/seed:1`))
        refused(await person.push(`${registry}/${client}:1`), needsLogin)

        done(await person.login(registry, loginOf('alice')))
        done(await person.push(`${registry}/${client}:1`))

        done(await reader.login(registry, loginOf('dave')))
        refused(
          await reader.push(`${registry}/${client}/other:1`),
          /denied: dave may not deploy in \S+ of the repository open/,
        )
        done(await reader.pull(`${registry}/${client}:1`))
      })

      for (const repository of ['forced', 'basic'] as const)
        test(`${client} pulls from the repository ${repository} with a login only, by password or token`, async () => {
          const person = await people(client)
          const registry = company.host(repository)
          await needsTheLogin(person, registry, loginOf('alice'))
          const imposter = { name: `wrong-at-${client}`, password: 'not the password' }
          refused(await person.login(registry, imposter), wrong)

          done(await person.login(registry, robot))
          done(await person.push(`${registry}/${client}:1`))
          done(await person.pull(`${registry}/${client}:1`))
        })

      test(`${client} pulls nothing without a login where all repositories ask for one`, async () => {
        await needsTheLogin(await people(client), closed.host('open'), loginOf('dave'))
      })

      /** Leaves the person logged out. */
      async function needsTheLogin(person: Person, registry: string, login: Login): Promise<void> {
        const image = `${registry}/seed:1`
        refused(await person.pull(image), needsLogin)
        done(await person.login(registry, login))
        done(await person.pull(image))
        done(await person.logout(registry))
        refused(await person.pull(image), needsLogin)
      }
    }

    // docker gives up there: it sends nothing where it has no password to send.
    for (const client of ['podman', 'buildah', 'skopeo'] as const)
      test(`${client} pulls without a login from a host that asks for passwords, where the repository is open`, async () => {
        const { needsLogin } = says[client]
        const person = await people(client)
        const host = company.host('paths')
        done(await person.pull(`${host}/open/seed:1`))
        refused(await person.pull(`${host}/forced/seed:1`), needsLogin)
      })

    test('BuildKit builds on an image with the login of docker, by password or token, and not without', async () => {
      const registry = company.host('forced')
      // Where a token is asked for it is the client that fetches it, and it knows the authorities of the system alone.
      const authority = await readFile(company.caisson.authorityFile, 'utf8')
      await company.machine.configure('ssl/certs/ca-certificates.crt', authority)
      const context = await writeBuildContext(company.machine, 'on-a-forced-base', `FROM ${registry}/seed:1`)
      const build = ['--pull', '--no-cache', context]
      const person = await engine.client()
      await assert.rejects(person.buildWithBuildKit(...build), /401 Unauthorized|authorization failed|unauthorized/)
      for (const { name, password } of [loginOf('dave'), robot]) {
        done(await person.login(registry, name, password))
        await person.buildWithBuildKit(...build)
      }
    })

    test('ctr pulls with the token of a robot, and not without', async () => {
      const { machine, caisson } = company
      const setting = 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
      await machine.configure('containerd/config.toml', setting)
      await machine.start('containerd', []).says(/containerd successfully booted/)
      for (const repository of ['forced', 'basic']) {
        const options = ['--tlscacert', caisson.authorityFile, '--snapshotter', 'native']
        const pull = (...user: readonly string[]) =>
          machine.attempt('ctr', ['images', 'pull', ...options, ...user, `${company.host(repository)}/seed:1`])
        refused(await pull(), /401 Unauthorized|authorization failed|no basic auth credentials/)
        done(await pull('--user', `${robot.name}:${robot.password}`))
      }
    })
  },
)
