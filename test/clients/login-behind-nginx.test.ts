import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { Agent } from 'node:https'
import { after, before, describe, test } from 'node:test'
import { without } from '../helpers/available.ts'
import { startDockerEngine } from '../helpers/docker-engine.ts'
import { startNginx } from '../helpers/foreign-proxies.ts'
import { Machine } from '../helpers/machine.ts'
import { createAuthority } from '../helpers/openssl-authority.ts'
import { done, refused } from '../helpers/outcome.ts'
import { peopleOf } from '../helpers/people.ts'
import type { People } from '../helpers/people.ts'
import { startRegistryAlone } from '../helpers/registry-alone.ts'
import { RegistryClient } from '../helpers/registry-client.ts'
import type { Login } from '../helpers/registry-client.ts'
import { addUser, makeToken, onAccess, userNamed } from '../helpers/users.ts'

const name = 'artprod.company.com'
const asksFor = {
  token: (host: string) => `Bearer realm="https://${host}/v2/token",service="${host}"`,
  basic: () => 'Basic realm="Caisson"',
} as const

for (const challenge of ['token', 'basic'] as const)
  describe(
    `logins behind deploy/nginx.conf, with challenge: ${challenge}`,
    { skip: without('nginx', 'docker', 'dockerd', 'containerd', 'runc', 'podman') },
    () => {
      const resources = new AsyncDisposableStack()
      /** What stands for docker-local and for docker-prod. */
      let hosts: readonly string[]
      let authorityFile: string
      let people: People
      let alice: Login
      let robot: Login

      before(async () => {
        const machine = resources.use(await Machine.create([name]))
        const repositories = ['docker-local', 'docker-prod']
        const section = { challenge, forceAuthentication: true }
        const registry = resources.use(await startRegistryAlone(repositories, section))
        const authority = resources.use(await createAuthority())
        authorityFile = authority.file
        const certificate = await authority.issue([name])
        hosts = Object.values(await startNginx({ machine, certificate, registryPort: registry.port }))
        for (const host of hosts) await machine.trust(host, authority.file)
        alice = await addUser(registry, 'alice')
        const builder = userNamed('builder', { kind: 'robot', passwordHash: undefined })
        await onAccess(registry, async (access) => access.addUser(builder))
        robot = { name: 'builder', password: (await makeToken(registry, 'builder')).token }
        people = await peopleOf(machine, await startDockerEngine(machine))
      })
      after(async () => resources.disposeAsync())

      test('whoever asks is told how to log in at the address that they know', async () => {
        const agent = new Agent({ ca: await readFile(authorityFile), servername: name })
        for (const host of hosts) {
          const where = { host: '::1', port: Number(host.split(':')[1]), agent }
          const asked = await new RegistryClient(where, '/v2').with({ host }).ask('GET', '')
          assert.equal(asked.status, 401)
          assert.equal(asked.headers['www-authenticate'], asksFor[challenge](host))
        }
      })

      for (const client of ['docker', 'podman'] as const)
        test(`${client} pushes and pulls with a password, with a token, and not without a login`, async () => {
          const person = await people(client)
          for (const [index, host] of hosts.entries()) {
            const image = `${host}/by-${client}:1`
            refused(await person.push(image), /unauthorized|no basic auth credentials/)
            refused(await person.login(host, { ...alice, password: 'wrong' }), /401|unauthorized:|invalid username/)
            done(await person.login(host, index === 0 ? alice : robot))
            done(await person.push(image))
            done(await person.pull(image))
            done(await person.logout(host))
            refused(await person.pull(image), /unauthorized|no basic auth credentials/)
          }
        })
    },
  )
