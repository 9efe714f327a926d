import assert from 'node:assert/strict'
import { basename, dirname } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { without } from '../helpers/available.ts'
import { adminOf, adminPassword } from '../helpers/caisson.ts'
import { command } from '../helpers/command.ts'
import { dockerClients, startDockerEngine, type DockerClient, type DockerEngine } from '../helpers/docker-engine.ts'
import { openSite, type Dock, type Site } from '../helpers/site.ts'
import { tinyImage } from '../helpers/tiny-image.ts'
import { pushV1, v1Image } from '../helpers/v1-client.ts'

describe('docker search', { skip: without('docker', 'dockerd', 'containerd', 'runc') }, () => {
  const resources = new AsyncDisposableStack()
  let site: Site
  let engine: DockerEngine

  before(async () => {
    const permissions = {
      Public: {
        repositories: ['docker-local', 'docker-v1'],
        includes: ['library/**', 'jfrog/**'],
        users: { anonymous: ['read'] },
      },
    }
    site = resources.use(await openSite({ permissions }))
    engine = await startDockerEngine(site.machine)
    const admin = await adminOf(site.caisson)
    for (const image of ['jfrog/ubuntu', 'secret/ubuntu', 'jfrog/debian'])
      await admin.push(image, '1', tinyImage(image))
    await pushV1(admin.at('/artifactory/api/docker/docker-v1/v1'), 'ubuntu', '14.04', [v1Image('base')])
    const { dataDirectory } = site.caisson
    assert.equal((await command(dataDirectory, 'describe', 'docker-local/jfrog/ubuntu', 'Ours')).stderr, '')
  })
  after(async () => resources.disposeAsync())

  const dock = (by: Dock['by']): Dock => site.docks.find((one) => one.by === by) ?? assert.fail(by)

  for (const program of dockerClients) {
    const name = `${basename(program)} of ${dirname(program)}`

    test(`${name} finds without a login what everybody may read`, async () => {
      const stranger = await engine.client(program)
      for (const by of ['port', 'host'] as const)
        assert.deepEqual(await search(stranger, `${dock(by).registry}/ubuntu`), ['jfrog/ubuntu Ours'])
    })

    test(`${name} finds images of every repository where names begin with the key`, async () => {
      const stranger = await engine.client(program)
      assert.deepEqual(await search(stranger, `${dock('path').registry}/ubuntu`), [
        'docker-local/jfrog/ubuntu Ours',
        'docker-v1/library/ubuntu',
      ])
    })

    test(`${name} finds with a login what that may read`, async () => {
      const person = await engine.client(program)
      const { registry } = dock('port')
      assert.equal((await person.login(registry, 'admin', adminPassword)).exitCode, 0)
      assert.deepEqual(await search(person, `${registry}/ubuntu`), ['jfrog/ubuntu Ours', 'secret/ubuntu'])
      assert.deepEqual(await search(person, `${registry}/no-such`), [])
      assert.deepEqual(await search(person, '--limit', '1', `${registry}/ubuntu`), ['jfrog/ubuntu Ours'])
    })
  }
})

async function search(client: DockerClient, ...words: readonly string[]): Promise<readonly string[]> {
  const found = await client.run('search', '--format', '{{.Name}} {{.Description}}', ...words)
  return found
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
}
