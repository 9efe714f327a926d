import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { without } from '../helpers/available.ts'
import { writeBuildContext } from '../helpers/build-context.ts'
import { startCaisson } from '../helpers/caisson.ts'
import { startDistribution } from '../helpers/distribution.ts'
import { startDockerEngine } from '../helpers/docker-engine.ts'
import type { DockerEngine } from '../helpers/docker-engine.ts'
import { Machine } from '../helpers/machine.ts'

const names = ['registry.test', 'docker-local.registry.test']

describe(
  'caisson gateway in front of docker-registry',
  { skip: without('docker-registry', 'docker', 'dockerd') },
  () => {
    const resources = new AsyncDisposableStack()
    let machine: Machine
    let engine: DockerEngine

    before(async () => {
      machine = resources.use(await Machine.create(names))
      engine = await startDockerEngine(machine)
    })
    after(async () => resources.disposeAsync())

    test('docker pushes by port, by host and by path what upstream holds below the key', async () => {
      await using upstream = await startDistribution()
      await using gateway = await startCaisson({
        command: 'gateway',
        config: gatewayConfig(upstream.port, '/{api}/{key}/{path}'),
      })
      const [byName, byPort] = gateway.ports
      const addresses = [
        `registry.test:${byPort}`,
        `docker-local.registry.test:${byName}`,
        `registry.test:${byName}/docker-local`,
      ]
      for (const [index, prefix] of addresses.entries()) {
        await machine.trust(prefix.replace(/\/.*/, ''), gateway.authorityFile)
        await pushAndPull(`${prefix}/below-the-key/${index}:1`)
      }

      assert.deepEqual(
        await catalogOf(upstream.port),
        [0, 1, 2].map((index) => `docker-local/below-the-key/${index}`),
      )
    })

    test('docker pushes to names that upstream knows as they are', async () => {
      await using upstream = await startDistribution()
      await using gateway = await startCaisson({ command: 'gateway', config: gatewayConfig(upstream.port, 'none') })
      const registry = `registry.test:${gateway.ports[1]}`
      await machine.trust(registry, gateway.authorityFile)

      await pushAndPull(`${registry}/as/it/is:1`)

      assert.deepEqual(await catalogOf(upstream.port), ['as/it/is'])
    })

    async function pushAndPull(image: string): Promise<void> {
      const person = await engine.client()
      const context = await writeBuildContext(machine, image.replaceAll(/[^a-z0-9]/g, '-'))
      await person.run('build', '--quiet', '--tag', image, context)
      const id = await person.run('image', 'inspect', '--format', '{{.Id}}', image)
      await person.run('push', image)
      await person.run('rmi', '--force', id)
      await person.run('pull', image)
      assert.equal(await person.run('image', 'inspect', '--format', '{{.Id}}', image), id)
    }
  },
)

function gatewayConfig(upstreamPort: number, rewrite: string): unknown {
  return {
    gateway: {
      upstream: `http://127.0.0.1:${upstreamPort}`,
      rewrite,
      workers: 1,
      listeners: [{ port: 0 }, { port: 0, repository: 'docker-local' }],
      hosts: { 'registry.test': { repositoryFrom: 'path' }, '*.registry.test': { repositoryFrom: 'host' } },
    },
  }
}

async function catalogOf(port: number): Promise<unknown> {
  const answer = await fetch(`http://127.0.0.1:${port}/v2/_catalog`)
  const { repositories }: { repositories: unknown } = JSON.parse(await answer.text())
  return repositories
}
