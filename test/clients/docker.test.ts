import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { without } from '../helpers/available.ts'
import { writeBuildContext } from '../helpers/build-context.ts'
import { adminPassword } from '../helpers/caisson.ts'
import { dockerClients, startDockerEngine } from '../helpers/docker-engine.ts'
import type { DockerClient, DockerEngine } from '../helpers/docker-engine.ts'
import { run } from '../helpers/program.ts'
import { openSite } from '../helpers/site.ts'
import type { Dock, Site } from '../helpers/site.ts'

describe('docker', { skip: without('docker', 'dockerd', 'containerd', 'runc') }, () => {
  const resources = new AsyncDisposableStack()
  let site: Site
  let engine: DockerEngine

  before(async () => {
    site = resources.use(await openSite())
    engine = await startDockerEngine(site.machine)
  })
  after(async () => resources.disposeAsync())

  for (const program of dockerClients) {
    const client = `${basename(program)} of ${dirname(program)}`
    const dock = (by: Dock['by']): Dock => {
      const found = site.docks.find((candidate) => candidate.by === by)
      return found ?? assert.fail(`no repository by ${by}`)
    }

    test(`${client} logs in with the right password and is told 401 for a wrong one`, async () => {
      const { registry } = dock('port')
      const person = await engine.client(program)

      const wrong = await person.login(registry, 'admin', 'not the password')
      assert.notEqual(wrong.exitCode, 0)
      assert.match(wrong.stderr, /401 Unauthorized|unauthorized:/)

      const right = await person.login(registry, 'admin', adminPassword)
      assert.match(right.stdout, /Login Succeeded/)
    })

    test(`${client} is refused a push without login`, async () => {
      const image = `${dock('port').prefix}/refused:1`
      const stranger = await engine.client(program)
      await build(stranger, image)

      const refused = await stranger.attempt('push', image)

      assert.notEqual(refused.exitCode, 0)
      assert.match(refused.stderr, /unauthorized|denied|no basic auth credentials/)
      assert.notEqual((await stranger.attempt('pull', image)).exitCode, 0)
    })

    for (const by of ['port', 'path', 'host'] as const) {
      test(`${client} pushes an image by ${by}, and anybody pulls the same one`, async () => {
        await pushesAndPulls(program, dock(by))
      })
    }

    test(`${client} pushes to and pulls from localhost without knowing any certificate`, async () => {
      const [byName, byPort] = site.caisson.ports
      const [port, path] = [`localhost:${byPort}`, `localhost:${byName}`]
      await pushesAndPulls(program, { by: 'port', registry: port, prefix: port })
      await pushesAndPulls(program, { by: 'path', registry: path, prefix: `${path}/docker-local` })
    })

    test(`${client} finds by host name what was pushed by port`, async () => {
      const person = await loggedIn(program, dock('port').registry)
      const pushed = `${dock('port').prefix}/same/repository:1`
      await build(person, pushed)
      await person.run('push', pushed)

      const pulled = `${dock('host').prefix}/same/repository:1`
      await person.run('pull', pulled)

      assert.equal(await imageId(person, pulled), await imageId(person, pushed))
    })

    for (const by of ['port', 'path', 'host'] as const) {
      test(`${client} mounts by ${by} the layers that another image of the repository has`, async () => {
        const { registry, prefix } = dock(by)
        const person = await loggedIn(program, registry)
        const [first, second] = [
          `${prefix}/first/${by}-${program.length}:1`,
          `${prefix}/second/${by}-${program.length}:1`,
        ]
        await build(person, first)
        await person.run('push', first)
        await person.run('tag', first, second)

        const pushed = await person.run('push', second)

        assert.match(pushed, /Mounted from/)
        assert.doesNotMatch(pushed, /: Pushed/)
      })
    }

    test(`${client} says what is wrong where the certificate is not trusted`, async () => {
      const stranger = await engine.client(program)
      const refused = await stranger.attempt('pull', `${site.untrusted}/hello:1`)
      assert.notEqual(refused.exitCode, 0)
      assert.match(refused.stderr, /x509: certificate signed by unknown authority/)
    })

    test(`${client} verifies the certificate once \`caisson certs trust --docker\` has said so`, async () => {
      const directory = site.machine.etc('docker/certs.d')
      const configured = ['--data', site.caisson.dataDirectory]
      await caisson('certs', 'trust', '--docker', site.untrusted, '--directory', directory, ...configured)
      const stranger = await engine.client(program)

      const { stderr } = await stranger.attempt('pull', `${site.untrusted}/hello:1`)

      await rm(join(directory, site.untrusted), { recursive: true })
      assert.match(stderr, /not found|manifest unknown/)
    })

    test(`${client} says that an image is unknown`, async () => {
      const stranger = await engine.client(program)
      const refused = await stranger.attempt('pull', `${dock('port').prefix}/nobody/pushed-this:1`)
      assert.notEqual(refused.exitCode, 0)
      assert.match(refused.stderr, /not found|manifest unknown/)
    })
  }

  test('BuildKit builds on an image of a repository, logged in or not', async () => {
    const dock = site.docks[0] ?? assert.fail()
    const person = await loggedIn(undefined, dock.registry)
    const base = `${dock.prefix}/buildkit/base:1`
    await build(person, base)
    await person.run('push', base)
    await person.run('rmi', base)

    const context = await writeBuildContext(site.machine, 'on-a-base', `FROM ${base}`)
    await person.buildWithBuildKit('--pull', '--no-cache', '--tag', 'ours:1', context)
    await person.run('system', 'prune', '--all', '--force')
    const stranger = await engine.client()
    await stranger.buildWithBuildKit('--pull', '--no-cache', '--tag', 'theirs:1', context)

    assert.equal(await layers(stranger, 'theirs:1'), 6)
  })

  test('docker manifest joins two images to one for two platforms', async () => {
    const { registry, prefix } = site.docks[2] ?? assert.fail()
    const person = await loggedIn(undefined, registry)
    const images = [`${prefix}/joined:amd64`, `${prefix}/joined:arm64`] as const
    for (const image of images) {
      await build(person, image)
      await person.run('push', image)
    }
    await person.run('manifest', 'create', `${prefix}/joined:1`, ...images)
    await person.run('manifest', 'annotate', '--arch', 'arm64', `${prefix}/joined:1`, images[1])
    await person.run('manifest', 'push', '--purge', `${prefix}/joined:1`)

    const stranger = await engine.client()
    await stranger.run('pull', '--platform', 'linux/amd64', `${prefix}/joined:1`)

    assert.equal(await imageId(stranger, `${prefix}/joined:1`), await imageId(person, images[0]))
  })

  test('docker pulls by digest what it pushed by tag', async () => {
    const dock = site.docks[0] ?? assert.fail()
    const person = await loggedIn(undefined, dock.registry)
    const image = `${dock.prefix}/by-digest:1`
    await build(person, image)
    const digest = /digest: (sha256:[0-9a-f]{64})/.exec(await person.run('push', image))?.[1]
    const id = await imageId(person, image)
    await person.run('rmi', '--force', id)

    const byDigest = `${dock.prefix}/by-digest@${digest}`
    await person.run('pull', byDigest)

    assert.equal(await imageId(person, byDigest), id)
  })

  async function pushesAndPulls(program: string, { by, registry, prefix }: Dock): Promise<void> {
    const image = `${prefix}/hello/${by}-${program.length}:1`
    const person = await loggedIn(program, registry)
    await build(person, image)
    const id = await imageId(person, image)
    await person.run('push', image)
    await person.run('rmi', '--force', id)

    const stranger = await engine.client(program)
    const pulled = await stranger.run('pull', image)

    assert.match(pulled, /Pull complete/)
    assert.equal(await imageId(stranger, image), id)
  }

  async function loggedIn(program: string | undefined, registry: string): Promise<DockerClient> {
    const person = await engine.client(program)
    const { exitCode, stderr } = await person.login(registry, 'admin', adminPassword)
    assert.equal(exitCode, 0, stderr)
    return person
  }

  async function build(person: DockerClient, image: string): Promise<void> {
    const context = await writeBuildContext(site.machine, image.replaceAll(/[^a-z0-9]/g, '-'))
    await person.run('build', '--quiet', '--tag', image, context)
  }
})

async function caisson(...args: readonly string[]): Promise<string> {
  return run(process.execPath, [fileURLToPath(new URL('../../cli/caisson.js', import.meta.url)), ...args])
}

async function imageId(person: DockerClient, image: string): Promise<string> {
  return person.run('image', 'inspect', '--format', '{{.Id}}', image)
}

async function layers(person: DockerClient, image: string): Promise<number> {
  return Number(await person.run('image', 'inspect', '--format', '{{len .RootFS.Layers}}', image))
}
