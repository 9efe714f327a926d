import assert from 'node:assert/strict'
import { Agent } from 'node:https'
import { mkdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { without } from '../helpers/available.ts'
import { adminPassword, authorityOf } from '../helpers/caisson.ts'
import { dockerClients, startDockerEngine, type DockerEngine } from '../helpers/docker-engine.ts'
import { oldImages } from '../helpers/old-image.ts'
import { RegistryClient } from '../helpers/registry-client.ts'
import { openSite, type Site } from '../helpers/site.ts'
import { pushV1 } from '../helpers/v1-client.ts'

const missing = without('docker', 'dockerd', 'containerd', 'runc', 'podman')
const images = oldImages('base', 'app')

describe('an image of the V1 API, migrated', { skip: missing }, () => {
  const resources = new AsyncDisposableStack()
  let site: Site
  let engine: DockerEngine

  before(async () => {
    site = resources.use(
      await openSite({
        repositories: {
          'docker-v1': { type: 'local', apiVersion: 'v1' },
          'docker-local': { type: 'local' },
          'docker-old': { type: 'local' },
        },
      }),
    )
    engine = await startDockerEngine(site.machine)
    const v1 = await clientOfV1()
    const pushed = images.map(({ json, checksums, ...image }) => ({ ...image, ...checksums, json: json.toString() }))
    await pushV1(v1, 'team/app', '1', pushed)
    for (const [targetRepo, format] of Object.entries({ 'docker-local': 'schema2', 'docker-old': 'schema1' })) {
      const answer = await v1.ask('POST', 'migrate', {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ targetRepo, format, dockerRepository: 'team/app', tag: '1' }),
      })
      assert.equal(answer.status, 200, answer.body.toString())
    }
  })
  after(async () => resources.disposeAsync())

  for (const program of dockerClients)
    test(`${basename(program)} of ${dirname(program)} pulls it: its files, what is known of it, and its history`, async () => {
      const person = await engine.client(program)
      await person.run('pull', nameIn('docker-local'))
      assert.deepEqual(
        JSON.parse(await person.run('image', 'inspect', '--format', '{{json .Config.Env}}', nameIn('docker-local'))),
        ['PATH=/bin'],
      )
      const history = await person.run('history', '--no-trunc', '--format', '{{.CreatedBy}}', nameIn('docker-local'))
      assert.deepEqual(history.trim().split('\n'), ['/bin/sh -c #(nop) SAY app <&>', '/bin/sh -c #(nop) SAY base <&>'])
      const container = (await person.run('create', nameIn('docker-local'), '/nothing')).trim()
      assert.equal(await saidBy(['docker', container]), 'app')
      await person.run('rm', container)
      await person.run('rmi', nameIn('docker-local'))
    })

  test('docker gives it the id that the image has when docker itself converts it from schema 1', async () => {
    const person = await engine.client()
    const idOf = async (repository: string) => {
      await person.run('pull', nameIn(repository))
      return (await person.run('image', 'inspect', '--format', '{{.Id}}', nameIn(repository))).trim()
    }
    assert.equal(await idOf('docker-local'), await idOf('docker-old'))
  })

  test('podman pulls it, and finds its files', async () => {
    await site.machine.run('podman', ['pull', nameIn('docker-local')])
    const container = (await site.machine.run('podman', ['create', nameIn('docker-local'), '/nothing'])).trim()
    assert.equal(await saidBy(['podman', container]), 'app')
  })

  /** By the name of the host that stands for the V1 repository. */
  async function clientOfV1(): Promise<RegistryClient> {
    const [port = 0] = site.caisson.ports
    const servername = 'docker-v1.registry.test'
    const agent = new Agent({ ca: await authorityOf(site.caisson), servername })
    const client = new RegistryClient({ host: '127.0.0.1', port, agent }, '/v1', { host: `${servername}:${port}` })
    return client.as({ name: 'admin', password: adminPassword })
  }

  function nameIn(repository: string): string {
    const { prefix } = site.docks.find(({ by }) => by === 'path') ?? assert.fail()
    return `${dirname(prefix)}/${repository}/team/app:1`
  }

  /** What the file of the image says that every step of it has written anew. */
  async function saidBy([program, container]: readonly [string, string]): Promise<string> {
    const directory = join(site.machine.directory, 'files', container)
    await mkdir(directory, { recursive: true })
    await site.machine.run(program, ['export', '--output', join(directory, 'all.tar'), container])
    return (await site.machine.run('tar', ['-xOf', join(directory, 'all.tar'), 'x/says'])).trim()
  }
})
