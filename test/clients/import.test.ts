import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { without } from '../helpers/available.ts'
import { adminOf } from '../helpers/caisson.ts'
import { command } from '../helpers/command.ts'
import { startDockerEngine, type DockerClient } from '../helpers/docker-engine.ts'
import { writeOciLayout } from '../helpers/oci-layout.ts'
import { done } from '../helpers/outcome.ts'
import { openSite, type Site } from '../helpers/site.ts'
import { writeTar } from '../helpers/small-tar.ts'

describe('caisson import', { skip: without('docker', 'dockerd', 'containerd', 'runc', 'skopeo') }, () => {
  const resources = new AsyncDisposableStack()
  let site: Site
  let docker: DockerClient
  let prefix: string

  before(async () => {
    site = resources.use(await openSite())
    docker = await (await startDockerEngine(site.machine)).client()
    prefix = site.docks.find(({ by }) => by === 'port')?.prefix ?? ''
  })
  after(async () => resources.disposeAsync())

  const bring = (...words: readonly string[]) => command(site.caisson.dataDirectory, 'import', ...words)
  const fileNamed = (name: string) => join(site.machine.directory, 'files', name)

  test('takes in what docker has saved: docker pulls the image back, and it has the same id', async () => {
    const id = await docker.run('import', await writeTar(site.machine, 'saved by docker'), 'team/app:1')
    await docker.run('tag', 'team/app:1', 'other.test:5000/team/app:2')
    await docker.run('save', '-o', fileNamed('saved.tar'), 'team/app:1', 'other.test:5000/team/app:2')
    await docker.run('rmi', '-f', id)

    done(await bring(`docker-archive:${fileNamed('saved.tar')}`, 'docker-local'))
    for (const tag of ['1', '2']) {
      await docker.run('pull', `${prefix}/team/app:${tag}`)
      assert.equal(await docker.run('inspect', '--format', '{{.Id}}', `${prefix}/team/app:${tag}`), id)
    }
  })

  test('takes in what skopeo has written, as a layout or an archive of docker', async () => {
    const { directory, manifestDigest, configDigest } = await writeOciLayout(site.machine, 'for-skopeo', '1')
    await site.machine.run('skopeo', ['copy', `oci:${directory}:1`, `oci:${fileNamed('layout')}:3`])
    await site.machine.run('skopeo', [
      'copy',
      `oci:${directory}:1`,
      `docker-archive:${fileNamed('archive.tar')}:team/b:4`,
    ])

    done(await bring(`oci:${fileNamed('layout')}`, 'docker-local/team/a'))
    done(await bring(`docker-archive:${fileNamed('archive.tar')}`, 'docker-local'))
    const client = await adminOf(site.caisson)
    const copied = await client.ask('HEAD', 'team/a/manifests/3')
    assert.equal(copied.headers['docker-content-digest'], manifestDigest)
    const headers = { accept: 'application/vnd.docker.distribution.manifest.v2+json' }
    const { config } = (await client.ask('GET', 'team/b/manifests/4', { headers })).json() as {
      readonly config: { readonly digest: string }
    }
    assert.equal(config.digest, configDigest)
  })
})
