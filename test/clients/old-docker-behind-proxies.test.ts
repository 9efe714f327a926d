import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { without } from '../helpers/available.ts'
import { adminPassword } from '../helpers/caisson.ts'
import { startApache, startHaproxy, startNginx, type Surroundings } from '../helpers/foreign-proxies.ts'
import { Machine } from '../helpers/machine.ts'
import { OldDocker } from '../helpers/old-docker.ts'
import { oldImages, type OldImage } from '../helpers/old-image.ts'
import { createAuthority } from '../helpers/openssl-authority.ts'
import { startRegistryAlone } from '../helpers/registry-alone.ts'

const proxies = { 'nginx.conf': startNginx, 'apache.conf': startApache, 'haproxy.cfg': startHaproxy } as const
const names = ['artprod.company.com', 'artprod2.company.com']
const admin = { name: 'admin', password: adminPassword }

describe('the V1 API behind the recipes', { skip: without('nginx', 'apache2', 'haproxy') }, () => {
  const resources = new AsyncDisposableStack()
  let surroundings: Surroundings
  let authority: string

  before(async () => {
    const machine = resources.use(await Machine.create(names))
    const registry = resources.use(await startRegistryAlone(['docker-local', 'docker-prod', 'docker-v1']))
    const issuer = resources.use(await createAuthority())
    authority = await readFile(issuer.file, 'utf8')
    surroundings = { machine, certificate: await issuer.issue(names), registryPort: registry.port }
  })
  after(async () => resources.disposeAsync())

  for (const [recipe, startProxy] of Object.entries(proxies)) {
    test(`docker 1.5 logs in, pushes and pulls through deploy/${recipe}, and docker 1.9 pulls`, async () => {
      const { 'docker-local': registry } = await startProxy(surroundings)
      const docker = new OldDocker('1.5', { registry, authority })
      assert.equal(await docker.login({ ...admin, password: 'wrong' }), 'Wrong login/password, please try again')
      assert.equal(await docker.login(admin), 'Login Succeeded')
      const images = oldImages(`behind ${recipe} ${'0123456789'.repeat(20_000)}`, 'child')
      const [, top] = images as [OldImage, OldImage]
      await docker.push(`acme/${recipe}`, images, { '1.0': top.id })

      const layers = images.map(({ id, layer }) => ({ id, layer }))
      for (const client of [docker, new OldDocker('1.9', { registry, authority })]) {
        const pulled = await client.pull(`acme/${recipe}`, '1.0', { breakLayersAfter: 70 })
        assert.deepEqual(
          pulled.map(({ id, layer }) => ({ id, layer })),
          layers,
        )
        assert.equal(client.traffic.filter(({ status }) => status === 206).length, images.length)
      }
    })
  }
})
