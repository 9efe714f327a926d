import assert from 'node:assert/strict'
import { basename, dirname } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { without } from '../helpers/available.ts'
import { writeBuildContext } from '../helpers/build-context.ts'
import { adminPassword } from '../helpers/caisson.ts'
import { makeImage, openCachingSite, remotes, type CachingSite } from '../helpers/caching-site.ts'
import { dockerClients, startDockerEngine, type DockerEngine } from '../helpers/docker-engine.ts'

const programs = ['docker', 'dockerd', 'containerd', 'ctr', 'runc', 'podman', 'skopeo', 'docker-registry'] as const

describe('real clients pull through caches', { skip: without(...programs) }, () => {
  const resources = new AsyncDisposableStack()
  let site: CachingSite
  let engine: DockerEngine

  before(async () => {
    site = resources.use(await openCachingSite())
    engine = await startDockerEngine(site.machine, ['--registry-mirror', `https://${site.prefix('behind-tokens')}`])
    await site.machine.configure(
      'containerd/config.toml',
      'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n',
    )
    await site.machine
      .start('containerd', ['--address', '/run/ctr.sock', '--root', '/var/lib/ctr', '--state', '/run/ctr'])
      .says(/containerd successfully booted/)
  })
  after(async () => resources.disposeAsync())

  for (const remote of remotes) {
    const image = (name: string) => `${site.prefix(remote)}/${name}`

    for (const program of dockerClients)
      test(`${basename(program)} of ${dirname(program)} pulls from ${remote}, one platform of several too`, async () => {
        const person = await engine.client(program)
        await person.run('pull', image('library/single:1'))
        await person.run('pull', image('team/multi:1'))
        const digests = await person.run('image', 'inspect', '--format', '{{.RepoDigests}}', image('team/multi:1'))
        assert.ok(digests.includes(site.multi.index), digests)
        await person.run('rmi', '--force', image('library/single:1'), image('team/multi:1'))
      })

    test(`podman pulls from ${remote}`, async () => {
      for (const name of ['library/single:1', 'team/multi:1']) {
        await site.machine.run('podman', ['pull', image(name)])
        await site.machine.run('podman', ['rmi', '--force', image(name)])
      }
    })

    test(`skopeo copies every platform from ${remote}`, async () => {
      const directory = `${site.machine.directory}/files/${remote}`
      await site.machine.run('skopeo', ['copy', '--all', `docker://${image('team/multi:1')}`, `dir:${directory}`])
      const raw = await site.machine.run('skopeo', ['inspect', '--raw', `docker://${image('team/multi:1')}`])
      assert.ok(raw.includes(site.multi.amd64))
    })

    test(`containerd pulls from ${remote}`, async () => {
      await ctr('pull', '--tlscacert', site.caisson.authorityFile, image('team/multi:1'))
      assert.match(await ctr('list', `name==${image('team/multi:1')}`), new RegExp(site.multi.index))
    })
  }

  test('a docker daemon has it for its mirror of Docker Hub', async () => {
    const person = await engine.client()
    site.add('library/mirrored', '1', await makeImage(site.machine, 'mirrored'))
    await person.run('pull', 'mirrored:1')
    assert.match(await person.run('image', 'ls', 'mirrored'), /mirrored +1 /)
  })

  test('containerd has it for its mirror of Docker Hub, by the host of the cache and by one for all', async () => {
    for (const [name, host] of [
      ['by-host', site.prefix('behind-tokens')],
      ['by-path', `registry.test:${site.caisson.ports[0]}`],
    ] as const) {
      site.add(`library/${name}`, '1', await makeImage(site.machine, name))
      const directory = `mirrors/${name}`
      const hosts = `server = "https://registry-1.docker.io"\n\n[host."https://${host}"]\n  capabilities = ["pull", "resolve"]\n  ca = "${site.caisson.authorityFile}"\n`
      await site.machine.configure(`${directory}/docker.io/hosts.toml`, hosts)
      await ctr('pull', '--hosts-dir', site.machine.etc(directory), `docker.io/library/${name}:1`)
    }
  })

  test('one address pulls from everywhere and takes what is pushed', async () => {
    const person = await engine.client()
    const all = site.prefix('all')
    await person.run('pull', `${all}/team/multi:1`)
    await person.login(all, 'admin', adminPassword)
    const context = await writeBuildContext(site.machine, 'on-top', `FROM ${all}/team/multi:1`)
    await person.run('build', '--tag', `${all}/team/on-top:1`, context)
    await person.run('push', `${all}/team/on-top:1`)

    for (const repository of ['all', 'docker-local']) {
      const image = `${site.prefix(repository)}/team/on-top:1`
      await site.machine.run('podman', ['pull', image])
      await site.machine.run('skopeo', [
        'copy',
        `docker://${image}`,
        `dir:${site.machine.directory}/files/top-${repository}`,
      ])
      await ctr('pull', '--tlscacert', site.caisson.authorityFile, image)
    }
    // A tag of a member before, and one of a member behind.
    await person.run('push', `${all}/team/on-top:1`)
    await site.machine.run('skopeo', ['inspect', `docker://${all}/library/single:1`])
  })

  test('with every upstream gone all that is cached can be pulled, and a miss says why within seconds', async () => {
    await site.stopUpstreams()
    const person = await engine.client()
    for (const remote of remotes) {
      const image = (name: string) => `${site.prefix(remote)}/${name}`
      for (const name of ['library/single:1', 'team/multi:1']) {
        await person.run('pull', image(name))
        await site.machine.run('podman', ['pull', image(name)])
        const to = `dir:${site.machine.directory}/files/again-${remote}-${name.replaceAll(/\W/g, '-')}`
        await site.machine.run('skopeo', ['copy', '--all', `docker://${image(name)}`, to])
      }
      await ctr('pull', '--tlscacert', site.caisson.authorityFile, image('library/single:1')).catch((error: unknown) =>
        assert.fail(String(error)),
      )
      const missed = await person.attempt('pull', image('library/single:2'))
      assert.notEqual(missed.exitCode, 0)
      assert.match(missed.stderr, /not cached here, and .*(?:127\.0\.0\.1|localhost)/)
      const refused = await site.machine.attempt('skopeo', ['inspect', `docker://${image('library/single:2')}`])
      assert.match(refused.stderr, /not cached here, and/)
    }
  })

  async function ctr(...args: readonly string[]): Promise<string> {
    const [command = '', ...rest] = args
    const options = command === 'pull' ? ['--snapshotter', 'native'] : []
    return site.machine.run('ctr', ['--address', '/run/ctr.sock', 'images', command, ...options, ...rest])
  }
})
