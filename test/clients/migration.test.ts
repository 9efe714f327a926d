import assert from 'node:assert/strict'
import { Agent } from 'node:https'
import { mkdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { without } from '../helpers/available.ts'
import { adminPassword, authorityOf } from '../helpers/caisson.ts'
import { dockerClients, startDockerEngine, type DockerEngine } from '../helpers/docker-engine.ts'
import { filesBelow, unionOf, type FileTree } from '../helpers/file-tree.ts'
import { configOfOldImage, oldImageThatRuns, saidByOldImage, type OldStep } from '../helpers/old-image-that-runs.ts'
import { oldImages } from '../helpers/old-image.ts'
import { RegistryClient } from '../helpers/registry-client.ts'
import { openSite, type Site } from '../helpers/site.ts'
import { pushV1 } from '../helpers/v1-client.ts'

const missing = without('docker', 'dockerd', 'containerd', 'runc', 'podman', 'skopeo', 'umoci', 'cc')
const images = oldImages('base', 'app')
const formats = [
  ['docker-local', 'schema2'],
  ['docker-old', 'schema1'],
] as const
/** podman keeps nothing of `OnBuild`. */
const { Hostname: _hostname, OnBuild, ...said } = configOfOldImage
/** What docker makes in every container. */
const ofDocker = /^\.\/(\.dockerenv|dev|etc|proc|sys)(\/|$)/

interface Inspected {
  readonly Author: string
  readonly Created: string
  readonly Architecture: string
  readonly Os: string
  readonly Config: Readonly<Record<string, unknown>>
  readonly History: readonly { readonly created_by: string }[]
}

describe('an image of the V1 API, migrated', { skip: missing }, () => {
  const resources = new AsyncDisposableStack()
  let site: Site
  let engine: DockerEngine
  let v1: RegistryClient
  let whole: readonly OldStep[]
  /** What the layers of `whole` make, one on the other. */
  let tree: FileTree
  const digests: Record<string, string | undefined> = {}

  before(async () => {
    site = resources.use(
      await openSite({
        repositories: {
          'docker-v1': { type: 'local', apiVersion: 'v1' },
          'docker-local': { type: 'local' },
          'docker-second': { type: 'local' },
          'docker-old': { type: 'local' },
        },
      }),
    )
    engine = await startDockerEngine(site.machine)
    v1 = await clientOfV1()
    const pushed = images.map(({ json, checksums, ...image }) => ({ ...image, ...checksums, json: json.toString() }))
    await pushV1(v1, 'team/app', '1', pushed)
    whole = await oldImageThatRuns(join(site.machine.directory, 'files'))
    await pushV1(v1, 'team/runs', '1', whole)
    tree = await filesBelow(
      site.machine,
      await unionOf(
        site.machine,
        whole.map(({ tar }) => tar),
      ),
    )
    for (const [targetRepo, format] of formats) digests[targetRepo] = await migrate(targetRepo, format)
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

  for (const [repository, format] of formats) {
    for (const program of dockerClients)
      test(`${basename(program)} of ${dirname(program)} runs it from ${repository}, which has ${format}`, async () => {
        const person = await engine.client(program)
        const said = await person.run('run', '--rm', '--network', 'none', nameIn(repository, 'team/runs'))
        assert.deepEqual(said.trim().split('\n'), saidByOldImage)
      })

    test(`podman runs it from ${repository}, which has ${format}`, async () => {
      const name = nameIn(repository, 'team/runs')
      const said = await site.machine.run('podman', ['--runtime', 'runc', 'run', '--rm', '--network', 'none', name])
      assert.deepEqual(said.trim().split('\n'), saidByOldImage)
    })

    test(`docker, podman and umoci unpack from ${repository} the files that the layers of the V1 API make`, async () => {
      for (const unpacked of [await filesOfDocker(repository), await filesOfPodman(repository)])
        assert.deepEqual(unpacked, tree)
      if (format === 'schema2') assert.deepEqual(await filesOfUmoci(repository), tree)
    })

    test(`docker and podman know of it from ${repository} what its author has said, and its history`, async () => {
      const name = nameIn(repository, 'team/runs')
      const person = await engine.client()
      await person.run('pull', name)
      const [image] = JSON.parse(await person.run('image', 'inspect', name)) as readonly [Inspected]
      assert.deepEqual(
        [image.Author, image.Created, image.Architecture, image.Os],
        ['Docks <docks@example.com>', '2015-07-14T09:30:15.123456789Z', 'amd64', 'linux'],
      )
      const history = await person.run('history', '--no-trunc', '--format', '{{.CreatedBy}}', name)
      const steps = whole.map(({ createdBy }) => createdBy)
      assert.deepEqual(history.trim().split('\n'), steps.toReversed())

      await site.machine.run('podman', ['pull', '--quiet', name])
      const [theirs] = JSON.parse(await site.machine.run('podman', ['image', 'inspect', name])) as readonly [Inspected]
      assert.deepEqual(
        theirs.History.map(({ created_by }) => created_by),
        steps,
      )
      for (const { Config } of [image, theirs])
        for (const [field, value] of Object.entries(said)) assert.deepEqual(Config[field], value, field)
      assert.deepEqual(image.Config.OnBuild, OnBuild)
    })
  }

  test('migrated again, and to another repository, it has the digest of before', async () => {
    assert.equal(await migrate('docker-local', 'schema2'), digests['docker-local'])
    assert.equal(await migrate('docker-second', 'schema2'), digests['docker-local'])
    const person = await engine.client()
    const by = (repository: string) =>
      `${nameIn(repository, 'team/runs').replace(/:1$/, '')}@${digests['docker-local']}`
    await person.run('pull', by('docker-local'))
    assert.match(await person.run('pull', by('docker-second')), /Already exists|newer image|up to date/)
  })

  /** Of the image that runs, and of the other one; the digest that the first has there. */
  async function migrate(targetRepo: string, format: string): Promise<string | undefined> {
    let digest: string | undefined
    for (const dockerRepository of ['team/app', 'team/runs']) {
      const answer = await v1.ask('POST', 'migrate', {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ targetRepo, format, dockerRepository, tag: '1' }),
      })
      assert.equal(answer.status, 200, answer.body.toString())
      const { failed, tags } = answer.json() as { failed: number; tags: readonly { digest?: string }[] }
      assert.equal(failed, 0, answer.body.toString())
      digest = tags[0]?.digest
    }
    return digest
  }

  async function filesOfDocker(repository: string): Promise<FileTree> {
    const person = await engine.client()
    await person.run('pull', nameIn(repository, 'team/runs'))
    const container = (await person.run('create', nameIn(repository, 'team/runs'))).trim()
    const directory = await newDirectory(`docker-${container}`)
    await person.run('export', '--output', `${directory}.tar`, container)
    await site.machine.run('tar', ['-C', directory, '--numeric-owner', '-pxf', `${directory}.tar`])
    await person.run('rm', '--volumes', container)
    const files = await filesBelow(site.machine, directory)
    return Object.fromEntries(Object.entries(files).filter(([path]) => !ofDocker.test(path)))
  }

  async function filesOfPodman(repository: string): Promise<FileTree> {
    const name = nameIn(repository, 'team/runs')
    await site.machine.run('podman', ['pull', '--quiet', name])
    return filesBelow(site.machine, '"$mounted"', `mounted=$(podman image mount ${name})`)
  }

  async function filesOfUmoci(repository: string): Promise<FileTree> {
    const directory = await newDirectory(`umoci-${repository}`)
    await site.machine.run('skopeo', [
      'copy',
      `docker://${nameIn(repository, 'team/runs')}`,
      `oci:${directory}/layout:1`,
    ])
    await site.machine.run('umoci', ['unpack', '--image', `${directory}/layout:1`, `${directory}/bundle`])
    return filesBelow(site.machine, `${directory}/bundle/rootfs`)
  }

  async function newDirectory(name: string): Promise<string> {
    const directory = join(site.machine.directory, 'files', name)
    await mkdir(directory, { recursive: true })
    return directory
  }

  /** By the name of the host that stands for the V1 repository. */
  async function clientOfV1(): Promise<RegistryClient> {
    const [port = 0] = site.caisson.ports
    const servername = 'docker-v1.registry.test'
    const agent = new Agent({ ca: await authorityOf(site.caisson), servername })
    const client = new RegistryClient({ host: '127.0.0.1', port, agent }, '/v1', { host: `${servername}:${port}` })
    return client.as({ name: 'admin', password: adminPassword })
  }

  function nameIn(repository: string, image = 'team/app'): string {
    const { prefix } = site.docks.find(({ by }) => by === 'path') ?? assert.fail()
    return `${dirname(prefix)}/${repository}/${image}:1`
  }

  /** What the file of the image says that every step of it has written anew. */
  async function saidBy([program, container]: readonly [string, string]): Promise<string> {
    const directory = join(site.machine.directory, 'files', container)
    await mkdir(directory, { recursive: true })
    await site.machine.run(program, ['export', '--output', join(directory, 'all.tar'), container])
    return (await site.machine.run('tar', ['-xOf', join(directory, 'all.tar'), 'x/says'])).trim()
  }
})
