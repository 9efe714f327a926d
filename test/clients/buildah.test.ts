import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { without } from '../helpers/available.ts'
import { writeBuildContext } from '../helpers/build-context.ts'
import { adminPassword } from '../helpers/caisson.ts'
import { openSite } from '../helpers/site.ts'
import type { Site } from '../helpers/site.ts'

const credentials = `admin:${adminPassword}`

interface Index {
  readonly mediaType: string
  readonly manifests: readonly { readonly digest: string; readonly platform: { readonly architecture: string } }[]
}

describe('buildah', { skip: without('buildah', 'skopeo') }, () => {
  const resources = new AsyncDisposableStack()
  let site: Site

  before(async () => {
    site = resources.use(await openSite())
  })
  after(async () => resources.disposeAsync())

  const mediaTypes = {
    oci: 'application/vnd.oci.image.index.v1+json',
    v2s2: 'application/vnd.docker.distribution.manifest.list.v2+json',
  } as const
  for (const format of ['oci', 'v2s2'] as const) {
    test(`buildah pushes an image for two platforms as ${format}, and each platform gets its own`, async () => {
      const image = `${site.docks[0]?.prefix}/multi/${format}:1`
      const context = await writeBuildContext(site.machine, `multi-${format}`)
      const platforms = ['--platform', 'linux/amd64,linux/arm64']
      await buildah('build', '--quiet', ...platforms, '--manifest', `multi-${format}`, context)
      const destination = ['--all', '--format', format, '--creds', credentials, `multi-${format}`, `docker://${image}`]
      await buildah('manifest', 'push', ...destination)

      const index: Index = JSON.parse(await skopeo('inspect', '--raw', `docker://${image}`))
      assert.equal(index.mediaType, mediaTypes[format])
      assert.deepEqual(index.manifests.map(({ platform }) => platform.architecture).sort(), ['amd64', 'arm64'])
      for (const { platform, digest } of index.manifests) {
        const inspected = await skopeo(
          '--override-arch',
          platform.architecture,
          'inspect',
          '--config',
          `docker://${image}`,
        )
        const { architecture }: { architecture: string } = JSON.parse(inspected)
        assert.equal(architecture, platform.architecture)
        await skopeo('inspect', '--raw', `docker://${site.docks[0]?.prefix}/multi/${format}@${digest}`)
      }
    })
  }

  test('buildah pushes one image and pulls it again', async () => {
    const image = `${site.docks[1]?.prefix}/single:1`
    const context = await writeBuildContext(site.machine, 'single')
    const id = await buildah('build', '--quiet', '--tag', image, context)
    await buildah('push', '--creds', credentials, image)
    await buildah('rmi', '--force', id)

    assert.equal(await buildah('pull', '--quiet', image), id)
  })

  async function buildah(...args: readonly string[]): Promise<string> {
    return site.machine.run('buildah', args)
  }

  async function skopeo(...args: readonly string[]): Promise<string> {
    return site.machine.run('skopeo', args)
  }
})
