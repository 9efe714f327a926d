import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { without } from '../helpers/available.ts'
import { writeBuildContext } from '../helpers/build-context.ts'
import { adminPassword, startCaisson } from '../helpers/caisson.ts'
import { startDockerEngine } from '../helpers/docker-engine.ts'
import { Machine } from '../helpers/machine.ts'
import { siteConfig } from '../helpers/site.ts'

test(
  'docker finds after a restart what it pushed before, and pushes on',
  { skip: without('docker', 'dockerd') },
  async () => {
    await using machine = await Machine.create(['registry.test'])
    const engine = await startDockerEngine(machine)
    const person = await engine.client()
    const dataDirectory = join(machine.directory, 'data')

    const before = await startCaisson({ config: siteConfig(), dataDirectory })
    const registry = `registry.test:${before.ports[1]}`
    const image = `${registry}/hello:1`
    await machine.trust(registry, before.authorityFile)
    await person.login(registry, 'admin', adminPassword)
    await person.run('build', '--quiet', '--tag', image, await writeBuildContext(machine, 'before'))
    const id = await person.run('image', 'inspect', '--format', '{{.Id}}', image)
    await person.run('push', image)
    await before[Symbol.asyncDispose]()
    assert.match((await person.attempt('push', image)).stderr, /connection refused/)

    await using after = await startCaisson({ config: siteConfig(before.ports), dataDirectory })
    assert.deepEqual(after.ports, before.ports)
    assert.doesNotMatch(await person.run('push', image), /: Pushed/)
    await person.run('rmi', '--force', id)
    await person.run('pull', image)
    assert.equal(await person.run('image', 'inspect', '--format', '{{.Id}}', image), id)

    const next = `${registry}/hello:2`
    await person.run('build', '--quiet', '--tag', next, await writeBuildContext(machine, 'after'))
    assert.match(await person.run('push', next), /: Pushed/)
  },
)
