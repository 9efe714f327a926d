import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { without } from '../helpers/available.ts'
import { writeBuildContext } from '../helpers/build-context.ts'
import { adminPassword } from '../helpers/caisson.ts'
import { startDockerEngine } from '../helpers/docker-engine.ts'
import type { DockerEngine } from '../helpers/docker-engine.ts'
import { startApache, startHaproxy, startNginx } from '../helpers/foreign-proxies.ts'
import type { Surroundings } from '../helpers/foreign-proxies.ts'
import { Machine } from '../helpers/machine.ts'
import { createAuthority } from '../helpers/openssl-authority.ts'
import type { Authority } from '../helpers/openssl-authority.ts'
import { startRegistryAlone } from '../helpers/registry-alone.ts'

const proxies = { 'nginx.conf': startNginx, 'apache.conf': startApache, 'haproxy.cfg': startHaproxy } as const
const names = ['artprod.company.com', 'artprod2.company.com']

describe(
  'the registry behind the recipes',
  { skip: without('nginx', 'apache2', 'haproxy', 'docker', 'dockerd') },
  () => {
    const resources = new AsyncDisposableStack()
    let authority: Authority
    let engine: DockerEngine
    let surroundings: Surroundings

    before(async () => {
      const machine = resources.use(await Machine.create(names))
      const registry = resources.use(await startRegistryAlone(['docker-local', 'docker-prod', 'docker-v1']))
      authority = resources.use(await createAuthority())
      surroundings = { machine, certificate: await authority.issue(names), registryPort: registry.port }
      engine = await startDockerEngine(machine)
    })
    after(async () => resources.disposeAsync())

    for (const [recipe, startProxy] of Object.entries(proxies)) {
      test(`docker logs in, pushes and pulls through deploy/${recipe}`, async () => {
        for (const [key, registry] of Object.entries(await startProxy(surroundings))) {
          await surroundings.machine.trust(registry, authority.file)
          await pushesAndPulls(registry, `${registry}/${recipe}/${key}:1`)
        }
      })
    }

    async function pushesAndPulls(registry: string, image: string): Promise<void> {
      const person = await engine.client()
      const refused = await person.login(registry, 'admin', 'not the password')
      assert.match(refused.stderr, /401 Unauthorized|unauthorized:/)
      const { stdout, stderr } = await person.login(registry, 'admin', adminPassword)
      assert.match(stdout, /Login Succeeded/, stderr)

      const context = await writeBuildContext(surroundings.machine, image.replaceAll(/[^a-z0-9]/g, '-'))
      await person.run('build', '--quiet', '--tag', image, context)
      const id = await person.run('image', 'inspect', '--format', '{{.Id}}', image)
      await person.run('push', image)
      await person.run('rmi', '--force', id)

      const stranger = await engine.client()
      await stranger.run('pull', image)
      assert.equal(await stranger.run('image', 'inspect', '--format', '{{.Id}}', image), id)
    }
  },
)
