import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { withoutPrograms } from '../helpers/available.ts'
import { startDistribution } from '../helpers/distribution.ts'
import { done, refused } from '../helpers/outcome.ts'
import { attempt, start } from '../helpers/program.ts'
import { RegistryClient } from '../helpers/registry-client.ts'
import { admin, startTestRegistry, type TestRegistry } from '../helpers/registry.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { descriptor, tinyImage, type TinyImage } from '../helpers/tiny-image.ts'

const ociIndex = 'application/vnd.oci.image.index.v1+json'
const skip = withoutPrograms('docker-registry')

function indexOf(images: readonly TinyImage[], more: object = {}): TinyImage {
  const manifests = images.map(({ mediaType, manifest }) => descriptor(mediaType, manifest))
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: ociIndex, manifests, ...more }))
  return { mediaType: ociIndex, manifest, digest: descriptor(ociIndex, manifest).digest, blobs: [] }
}

function signatureOf({ mediaType, manifest }: TinyImage, content: string): TinyImage {
  return tinyImage(content, {
    artifactType: 'application/vnd.example.signature',
    subject: descriptor(mediaType, manifest),
  })
}

/** Options that lead to docker-local of this registry. */
function at(side: 'source' | 'target'): readonly string[] {
  return [`--${side}-plain-http`, `--${side}-context`, '/artifactory/api/docker/docker-local']
}

const asAdmin = ['--target-user', 'admin', '--target-password', 'env:TARGET_PASSWORD']

async function copy(...words: readonly string[]) {
  return await attempt(process.execPath, [launcher, 'copy', ...words], { env: { TARGET_PASSWORD: admin.password } })
}
const launcher = new URL('../../cli/caisson.js', import.meta.url).pathname

async function manifestAt(registry: TestRegistry, image: string, reference: string): Promise<string | undefined> {
  const answer = await registry.admin.ask('HEAD', `${image}/manifests/${reference}`)
  return answer.status === 200 ? String(answer.headers['docker-content-digest']) : undefined
}

test('an image goes from one registry to another with its platforms and signatures, and a second run has nothing to do', async () => {
  await using from = await startTestRegistry()
  await using to = await startTestRegistry()
  const [amd64, arm64] = [tinyImage('amd64'), tinyImage('arm64')]
  const index = indexOf([amd64, arm64])
  const [signature, attestation] = [signatureOf(index, 'signature'), signatureOf(arm64, 'attestation')]
  for (const image of [amd64, arm64, index, signature, attestation])
    await from.admin.push('team/app', image.digest, image)
  await from.admin.putManifest('team/app', '1.0', index)
  await from.admin.push('team/app', `${index.digest.replace(':', '-')}.sig`, tinyImage('cosign'))

  const words = [`docker://127.0.0.1:${from.port}/team/app:1.0`, `docker://127.0.0.1:${to.port}/moved/app`]
  const options = [...at('source'), ...at('target'), ...asAdmin]
  const dry = await copy(...words, ...options, '--dry-run')
  assert.equal(dry.stdout, 'team/app:1.0 -> moved/app:1.0: would be copied\n')
  assert.equal(await manifestAt(to, 'moved/app', '1.0'), undefined)

  const copied = await copy(...words, ...options)
  done(copied)
  assert.match(copied.stdout, /^team\/app:1\.0 -> moved\/app:1\.0: copied \(\d+ blobs sent, \d+ B\)\n$/)
  assert.equal(await manifestAt(to, 'moved/app', '1.0'), index.digest)
  for (const { digest } of [amd64, arm64, signature, attestation])
    assert.equal(await manifestAt(to, 'moved/app', digest), digest)
  assert.equal(await manifestAt(to, 'moved/app', `${index.digest.replace(':', '-')}.sig`), tinyImage('cosign').digest)

  const again = await copy(...words, ...options)
  assert.equal(again.stdout, 'team/app:1.0 -> moved/app:1.0: already there\n')
  await from.admin.push('team/app', signatureOf(index, 'second').digest, signatureOf(index, 'second'))
  const more = await copy(...words, ...options, '--json')
  const line = JSON.parse(more.stdout) as { readonly kind: string; readonly sum: object }
  assert.deepEqual([line.kind, line.sum], ['copied', { manifests: 1, blobs: 2, mounted: 0, bytes: 71 }])
})

test(
  'a whole registry is copied, images that match alone when that is said, and blobs that images share are mounted',
  { skip },
  async () => {
    await using from = await startDistribution()
    await using to = await startTestRegistry()
    const client = new RegistryClient({ host: '127.0.0.1', port: from.port }, '/v2')
    for (const image of ['team/a', 'team/b', 'other/c']) await client.push(image, '1', tinyImage('shared'))
    await client.push('team/a', '2', tinyImage('second'))

    const words = [`docker://127.0.0.1:${from.port}`, `docker://127.0.0.1:${to.port}/old`, '--source-plain-http']
    const some = await copy(...words, '--image', 'team/*', '--tag', '1', '--jobs', '1', ...at('target'), ...asAdmin)
    done(some)
    assert.deepEqual(some.stdout.split('\n'), [
      'team/a:1 -> old/team/a:1: copied (2 blobs sent, 71 B)',
      'team/b:1 -> old/team/b:1: copied (0 blobs sent, 0 B, 2 mounted)',
      '',
    ])
    const rest = await copy(...words, ...at('target'), ...asAdmin)
    done(rest)
    assert.match(rest.stderr, /^2 copied \(\d+ B\), 2 already there, 0 failed\n$/)
    assert.equal(await manifestAt(to, 'old/team/a', '2'), tinyImage('second').digest)
  },
)

test(
  'a registry that lists no referrers is given the list under the tag that clients keep it under',
  { skip },
  async () => {
    await using from = await startTestRegistry()
    await using to = await startDistribution()
    const app = tinyImage('app')
    const signatures = [signatureOf(app, 'one'), signatureOf(app, 'two')]
    await from.admin.push('app', '1', app)
    for (const signature of signatures) await from.admin.push('app', signature.digest, signature)
    done(
      await copy(
        `docker://127.0.0.1:${from.port}/app:1`,
        `docker://127.0.0.1:${to.port}`,
        ...at('source'),
        '--target-plain-http',
      ),
    )
    const client = new RegistryClient({ host: '127.0.0.1', port: to.port }, '/v2')
    const list = await client.ask('GET', `app/manifests/${app.digest.replace(':', '-')}`, {
      headers: { accept: ociIndex },
    })
    const { manifests } = list.json() as { readonly manifests: readonly { readonly digest: string }[] }
    assert.deepEqual(manifests.map(({ digest }) => digest).sort(), signatures.map(({ digest }) => digest).sort())

    await using back = await startTestRegistry()
    const words = [`docker://127.0.0.1:${to.port}/app:1`, `docker://127.0.0.1:${back.port}`, '--source-plain-http']
    done(await copy(...words, ...at('target'), ...asAdmin))
    for (const { digest } of signatures) assert.equal(await manifestAt(back, 'app', digest), digest)
  },
)

test('credentials that are wrong, missing or in the wrong place are told at once', async () => {
  await using from = await startTestRegistry()
  await using to = await startTestRegistry()
  for (const tag of ['1', '2']) await from.admin.push('app', tag, tinyImage(tag))
  const words = [
    `docker://127.0.0.1:${from.port}/app`,
    `docker://127.0.0.1:${to.port}`,
    '--all-tags',
    ...at('source'),
    ...at('target'),
  ]
  await using scratch = await temporaryDirectory()
  const password = join(scratch.path, 'password')
  await writeFile(password, 'wrong\n')
  refused(
    await copy(...words, '--target-user', 'admin', '--target-password', `file:${password}`),
    /answers with 401 to our credentials/,
  )
  refused(
    await copy(...words, '--target-user', 'admin', '--target-password', admin.password),
    /expected env:NAME, file:path or stdin/,
  )
  refused(await copy(...words, '--target-user', 'admin'), /--target-user and --target-password belong together/)
  const anonymous = await copy(...words)
  assert.equal(anonymous.exitCode, 1)
  assert.match(anonymous.stdout, /^app:1: failed: POST .* is answered with 401 \(UNAUTHORIZED/m)
})

test('a copy that was killed goes on where it was, and what it had begun is in nobody’s way', async () => {
  await using from = await startTestRegistry()
  await using to = await startTestRegistry()
  const tags = ['1', '2', '3', '4', '5', '6']
  for (const tag of tags) await from.admin.push('app', tag, tinyImage(tag))
  const source = `docker://127.0.0.1:${from.port}/app`
  const words = [
    source,
    `docker://127.0.0.1:${to.port}`,
    '--all-tags',
    '--jobs',
    '1',
    ...at('source'),
    ...at('target'),
    ...asAdmin,
  ]
  const env = { TARGET_PASSWORD: admin.password }
  const running = start(process.execPath, [launcher, 'copy', ...words], { env })
  await running.says(/app:1: copied/)
  process.kill(running.pid, 'SIGKILL')
  await running.ended

  const rest = await copy(...words)
  done(rest)
  assert.match(rest.stdout, /^app:1: already there$/m)
  for (const tag of tags) assert.equal(await manifestAt(to, 'app', tag), tinyImage(tag).digest)
  assert.match((await copy(...words)).stderr, /^0 copied \(0 B\), 6 already there, 0 failed\n$/)
})
