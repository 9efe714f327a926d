import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { payloadOf } from '../../registry/domain/manifest-digest.ts'
import { emptyLayer } from '../../registry/domain/schema1/empty-layer.ts'
import { parseSchema1 } from '../../registry/domain/schema1/schema1.ts'
import { verifySchema1 } from '../../registry/domain/schema1/signatures.ts'
import { without, withoutPrograms } from '../helpers/available.ts'
import { writeBuildContext } from '../helpers/build-context.ts'
import { startDistribution } from '../helpers/distribution.ts'
import { startDockerEngine, type DockerClient } from '../helpers/docker-engine.ts'
import { Machine } from '../helpers/machine.ts'
import { dockerBuilt, schema1Image, signedType } from '../helpers/schema1-image.ts'
import { startOldRegistry } from '../helpers/registry-before-schema2.ts'
import { run } from '../helpers/program.ts'
import { admin, startTestRegistry, type TestRegistry } from '../helpers/registry.ts'
import { RegistryClient, type Answer } from '../helpers/registry-client.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { digestOfBytes } from '../helpers/tiny-image.ts'

const awkward = dockerBuilt('awkward', {
  config: { Env: ['A=<b> & "c"', 'U=\u2028é😀'], Memory: 0.1, Labels: null },
  created: '2024-03-01T10:20:30.120000000+00:00',
  history: [
    { created: '2024-03-01T10:20:30.123456700+02:00', created_by: '/bin/sh -c #(nop) ADD file:x in / && "q" \u0001\t' },
    { created_by: 'CMD ["sh"]', empty_layer: true, author: 'Jo <jo@example.com>', comment: 'c\u2029' },
    { created: '2024-03-01T10:20:30Z', created_by: 'RUN x' },
  ],
})

describe('what is converted and signed', () => {
  const resources = new AsyncDisposableStack()
  let registry: TestRegistry
  let converted: Answer

  before(async () => {
    registry = resources.use(await startTestRegistry({ repositories: { 'docker-local': { type: 'local' } } }))
    await registry.admin.push('library/awkward', '1.0', awkward)
    converted = await registry.anonymous.acceptingNothing().ask('GET', 'library/awkward/manifests/1.0')
    assert.equal(converted.headers['content-type'], signedType)
  })
  after(async () => resources.disposeAsync())

  test(
    'is what distribution makes of the same image, to the octet',
    { skip: withoutPrograms('docker-registry') },
    async () => {
      await using distribution = await startDistribution()
      const theirs = new RegistryClient({ host: '127.0.0.1', port: distribution.port }, '/v2')
      await theirs.push('library/awkward', '1.0', awkward)
      const answer = await theirs.acceptingNothing().ask('GET', 'library/awkward/manifests/1.0')
      verifySchema1(answer.body)
      assert.equal(textOf(converted.body), textOf(answer.body))
      assert.equal(digestIn(converted), digestIn(answer))
    },
  )

  test("is verified by docker's own library", { skip: withoutPrograms('go') }, async () => {
    await using directory = await temporaryDirectory()
    const files = [join(directory.path, 'converted'), join(directory.path, 'signed')]
    const old = schema1Image('signed here')
    await writeFile(files[0] ?? '', converted.body)
    await writeFile(files[1] ?? '', old.manifest)
    const env = { PATH: `${process.env.PATH}:/usr/local/go/bin`, GOTOOLCHAIN: 'local', HOME: homedir() }
    const printed = await run('go', ['run', '.', ...files], { directory: program, env, timeoutMs: 300_000 })
    const keys = [converted.body, old.manifest].map((text) => /"kid": "([^"]+)"/.exec(text.toString())?.[1])
    assert.deepEqual(printed.trim().split('\n'), [`${digestIn(converted)} ${keys[0]}`, `${old.digest} ${keys[1]}`])
  })
})

const program = fileURLToPath(new URL('libtrust', import.meta.url))
const clients = { skip: without('docker', 'dockerd', 'containerd', 'runc', 'skopeo') }

describe('clients of schema 1', clients, () => {
  const resources = new AsyncDisposableStack()
  let registry: TestRegistry
  let machine: Machine
  let docker: DockerClient
  /** Of the registry as it is, and of one that refuses what is not of schema 1. */
  let here: string
  let older: string

  before(async () => {
    registry = resources.use(
      await startTestRegistry({
        challenge: 'basic',
        forceAuthentication: true,
        repositories: { 'docker-local': { type: 'local' } },
      }),
    )
    const proxy = resources.use(await startOldRegistry(registry.port))
    machine = resources.use(await Machine.create([]))
    // docker pushes schema 1 up to 20.10, when it is asked in this way: its own tests need it.
    const engine = await startDockerEngine(machine, [], { DOCKER_ALLOW_SCHEMA1_PUSH_DONOTUSE: '1' })
    docker = await engine.client()
    here = `127.0.0.1:${registry.port}`
    older = `127.0.0.1:${proxy.port}`
    for (const at of [here, older]) assert.equal((await docker.login(at, admin.name, admin.password)).exitCode, 0)
  })
  after(async () => resources.disposeAsync())

  test('docker pushes an old image where it must, and pulls it again', async () => {
    const image = `${older}/docker-local/pushed:1`
    await build(image)
    const layers = await layersOf(image)
    const said = await docker.run('push', image)
    const answer = await registry.admin.ask('GET', 'pushed/manifests/1')
    assert.equal(answer.headers['content-type'], signedType)
    verifySchema1(answer.body)
    assert.ok(said.includes(`digest: ${digestIn(answer)} `), said)
    await docker.run('rmi', image)

    for (const reference of [':1', `@${digestIn(answer)}`]) {
      const pulled = `${here}/docker-local/pushed${reference}`
      await docker.run('pull', pulled)
      assert.deepEqual(await layersOf(pulled), layers)
      await docker.run('rmi', pulled)
    }
  })

  test('docker pulls as an old image what is one of today', async () => {
    const image = `${here}/docker-local/today:1`
    await build(image)
    const layers = await layersOf(image)
    await docker.run('push', image)
    await docker.run('rmi', image)
    const converted = await registry.admin.acceptingNothing().ask('GET', 'today/manifests/1')
    assert.equal(converted.headers['content-type'], signedType)
    // docker 20.10 accepts both, and gets the one that it prefers: so it has to be told of the other one.
    const put = await registry.admin.ask('PUT', 'today/manifests/old', { body: converted.body })
    assert.deepEqual([put.status, digestIn(put)], [201, digestIn(converted)])

    await docker.run('pull', `${here}/docker-local/today:old`)

    assert.deepEqual(await layersOf(`${here}/docker-local/today:old`), layers)
  })

  test('skopeo makes the same old image of one of today, and copies it without a change', async () => {
    await registry.admin.push('team/app', '1', dockerBuilt('app'))
    const from = `docker://${here}/docker-local/team/app:1`
    await skopeo('copy', '--format', 'v2s1', from, `docker://${here}/docker-local/team/old:1`)

    const theirs = await registry.admin.ask('GET', 'team/old/manifests/1')
    assert.equal(theirs.headers['content-type'], signedType)
    verifySchema1(theirs.body)
    const ours = await registry.admin.acceptingNothing().ask('GET', 'team/app/manifests/1')
    assert.deepEqual(stepsOf(ours), stepsOf(theirs))

    // To the same name and tag, since these are in it.
    const copied = join(machine.directory, 'files', 'copied')
    await skopeo('copy', `docker://${here}/docker-local/team/old:1`, `dir:${copied}`)
    await registry.admin.ask('DELETE', `team/old/manifests/${digestIn(theirs)}`)
    await skopeo('copy', `dir:${copied}`, `docker://${here}/docker-local/team/old:1`)
    const again = await registry.admin.ask('GET', 'team/old/manifests/1')
    assert.deepEqual([again.status, again.body], [200, theirs.body])
  })

  test('skopeo makes an image of today of an old one, with the layers that it has', async () => {
    const image = `${older}/docker-local/there:1`
    await build(image)
    await docker.run('push', image)
    const from = `docker://${here}/docker-local/there:1`
    await skopeo('copy', '--format', 'v2s2', from, `docker://${here}/docker-local/there:today`)
    const { layers } = (await registry.admin.ask('GET', 'there/manifests/today')).json() as {
      readonly layers: readonly { readonly digest: string }[]
    }
    const old = parseSchema1((await registry.admin.ask('GET', 'there/manifests/1')).body).layers
    const emptyDigest = digestOfBytes(emptyLayer)
    assert.deepEqual(
      layers.map(({ digest }) => digest),
      old
        .map(({ blobSum }) => blobSum as string)
        .filter((blob) => blob !== emptyDigest)
        .toReversed(),
    )
  })

  async function build(image: string): Promise<void> {
    const context = await writeBuildContext(machine, image.replaceAll(/[^a-z0-9]/g, '-'))
    await docker.run('build', '--quiet', '--tag', image, context)
  }

  async function layersOf(image: string): Promise<unknown> {
    return JSON.parse(await docker.run('image', 'inspect', '--format', '{{json .RootFS.Layers}}', image))
  }

  async function skopeo(command: string, ...args: readonly string[]): Promise<string> {
    const authentication = ['--authfile', docker.configFile, '--src-tls-verify=false', '--dest-tls-verify=false']
    return machine.run('skopeo', [command, ...authentication, ...args])
  }
})

/** Ids and layers; not how a program writes the JSON around them. */
function stepsOf({ body }: Answer) {
  return parseSchema1(payloadOf(signedType, body)).layers.map(({ blobSum, v1Compatibility }) => ({
    blobSum,
    ...(JSON.parse(v1Compatibility) as object),
  }))
}

function digestIn({ headers }: Answer): string {
  const digest = headers['docker-content-digest']
  return typeof digest === 'string' ? digest : assert.fail('the answer has no digest')
}

function textOf(signed: Uint8Array): string {
  return Buffer.from(payloadOf(signedType, signed)).toString()
}
