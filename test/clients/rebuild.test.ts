import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { without } from '../helpers/available.ts'
import { writeBuildContext } from '../helpers/build-context.ts'
import { adminPassword, startCaisson } from '../helpers/caisson.ts'
import { command } from '../helpers/command.ts'
import { startDockerEngine } from '../helpers/docker-engine.ts'
import { Machine } from '../helpers/machine.ts'
import { siteConfig } from '../helpers/site.ts'

test(
  'what docker and podman pushed comes back without the database: the same images, and from docker the same digests',
  { skip: without('docker', 'dockerd', 'podman') },
  async () => {
    await using machine = await Machine.create(['registry.test'])
    const engine = await startDockerEngine(machine)
    const person = await engine.client()
    const dataDirectory = join(machine.directory, 'data')
    const before = await startCaisson({ config: siteConfig(), dataDirectory })
    const registry = `registry.test:${before.ports[1]}`
    await machine.trust(registry, before.authorityFile)
    await person.login(registry, 'admin', adminPassword)

    const byDocker = `${registry}/docker:1`
    await person.run('build', '--quiet', '--tag', byDocker, await writeBuildContext(machine, 'docker'))
    const id = await person.run('image', 'inspect', '--format', '{{.Id}}', byDocker)
    const pushed = await person.run('push', byDocker)
    const byPodman = `${registry}/podman:1`
    await machine.run('podman', ['build', '--quiet', '--tag', byPodman, await writeBuildContext(machine, 'podman')])
    const podmanId = await machine.run('podman', ['image', 'inspect', '--format', '{{.Id}}', byPodman])
    const login = ['--username', 'admin', '--password-stdin', registry]
    await machine.run('podman', ['login', ...login], { input: adminPassword })
    await machine.run('podman', ['push', byPodman])
    await before[Symbol.asyncDispose]()
    await person.run('rmi', '--force', id)
    await machine.run('podman', ['rmi', '--force', podmanId])
    for (const name of ['', '-wal', '-shm']) await rm(join(dataDirectory, `caisson.db${name}`), { force: true })

    const rebuilt = await command(dataDirectory, 'rebuild')
    assert.equal(rebuilt.exitCode, 0, rebuilt.stderr)
    assert.match(rebuilt.stdout, /2 images rebuilt, 0 lack layers; 0 blobs belong to none of them/)

    await using after = await startCaisson({ config: siteConfig(before.ports), dataDirectory })
    assert.deepEqual(after.ports, before.ports)
    const again = `${registry}/rebuilt:${id.slice('sha256:'.length, 'sha256:'.length + 12)}`
    // Users, and what docker was given in place of the password, were in the database.
    await person.login(registry, 'admin', adminPassword)
    const pulled = await person.run('pull', again)
    assert.equal(await person.run('image', 'inspect', '--format', '{{.Id}}', again), id)
    const digest = /digest: (sha256:[0-9a-f]{64})/.exec(pushed)?.[1]
    assert.ok(digest !== undefined && pulled.includes(digest), `pushed as ${digest}, pulled: ${pulled}`)

    await person.run('tag', again, byDocker)
    assert.doesNotMatch(await person.run('push', byDocker), /: Pushed/)
    const podmanAgain = `${registry}/rebuilt:${podmanId.slice(0, 12)}`
    await machine.run('podman', ['pull', podmanAgain])
    assert.equal(await machine.run('podman', ['image', 'inspect', '--format', '{{.Id}}', podmanAgain]), podmanId)
  },
)
