import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { without } from '../helpers/available.ts'
import { adminPassword } from '../helpers/caisson.ts'
import { writeOciLayout } from '../helpers/oci-layout.ts'
import { openSite } from '../helpers/site.ts'
import type { Site } from '../helpers/site.ts'

const credentials = `admin:${adminPassword}`

describe('skopeo', { skip: without('skopeo') }, () => {
  const resources = new AsyncDisposableStack()
  let site: Site

  before(async () => {
    site = resources.use(await openSite())
  })
  after(async () => resources.disposeAsync())

  for (const by of ['port', 'path', 'host'] as const) {
    test(`skopeo copies an image in by ${by}, inspects it and copies it out, digest unchanged`, async () => {
      const image = `${prefixBy(by)}/copied/by-${by}`
      const layout = await writeOciLayout(site.machine, `by-${by}`, '1')
      await skopeo('copy', '--dest-creds', credentials, `oci:${layout.directory}:1`, `docker://${image}:1`)

      assert.equal(await skopeo('inspect', '--format', '{{.Digest}}', `docker://${image}:1`), layout.manifestDigest)
      const out = join(site.machine.directory, 'files', `out-${by}`)
      await skopeo('copy', `docker://${image}@${layout.manifestDigest}`, `oci:${out}:1`)
      assert.equal(await skopeo('inspect', '--format', '{{.Digest}}', `oci:${out}:1`), layout.manifestDigest)
    })
  }

  test('skopeo lists the tags in their order', async () => {
    const image = `${prefixBy('port')}/listed`
    const layout = await writeOciLayout(site.machine, 'listed', '1')
    for (const tag of ['latest', '1.10', '1.9'])
      await skopeo('copy', '--dest-creds', credentials, `oci:${layout.directory}:1`, `docker://${image}:${tag}`)

    const { Tags }: { Tags: unknown } = JSON.parse(await skopeo('list-tags', `docker://${image}`))

    assert.deepEqual(Tags, ['1.10', '1.9', 'latest'])
  })

  test('skopeo deletes an image, which is unknown from then on', async () => {
    const image = `docker://${prefixBy('host')}/deleted:1`
    const layout = await writeOciLayout(site.machine, 'deleted', '1')
    await skopeo('copy', '--dest-creds', credentials, `oci:${layout.directory}:1`, image)

    await skopeo('delete', '--creds', credentials, image)

    const gone = await site.machine.attempt('skopeo', ['inspect', image])
    assert.notEqual(gone.exitCode, 0)
    assert.match(gone.stderr, /manifest unknown/)
  })

  test('skopeo is refused a deletion without login', async () => {
    const image = `docker://${prefixBy('port')}/kept:1`
    const layout = await writeOciLayout(site.machine, 'kept', '1')
    await skopeo('copy', '--dest-creds', credentials, `oci:${layout.directory}:1`, image)

    const refused = await site.machine.attempt('skopeo', ['delete', image])

    assert.notEqual(refused.exitCode, 0)
    assert.match(refused.stderr, /unauthorized|denied|authentication required/)
    assert.equal(await skopeo('inspect', '--format', '{{.Digest}}', image), layout.manifestDigest)
  })

  for (const compression of ['gzip', 'zstd'] as const) {
    test(`skopeo copies layers compressed anew with ${compression}`, async () => {
      const image = `docker://${prefixBy('path')}/compressed/${compression}:1`
      const layout = await writeOciLayout(site.machine, `compressed-${compression}`, '1')
      const plain = join(site.machine.directory, 'files', `plain-${compression}`)
      await skopeo('copy', '--dest-decompress', `oci:${layout.directory}:1`, `dir:${plain}`)

      const options = ['--dest-compress-format', compression, '--dest-creds', credentials]
      await skopeo('copy', ...options, `dir:${plain}`, image)

      const out = join(site.machine.directory, 'files', `out-${compression}`)
      await skopeo('copy', image, `dir:${out}`)
    })
  }

  test('skopeo copies from one repository of the registry to another image of it', async () => {
    const image = `docker://${prefixBy('path')}`
    const layout = await writeOciLayout(site.machine, 'moved', '1')
    await skopeo('copy', '--dest-creds', credentials, `oci:${layout.directory}:1`, `${image}/development/app:1`)

    await skopeo('copy', '--dest-creds', credentials, `${image}/development/app:1`, `${image}/production/app:1`)

    assert.equal(await skopeo('inspect', '--format', '{{.Digest}}', `${image}/production/app:1`), layout.manifestDigest)
  })

  function prefixBy(by: 'port' | 'path' | 'host'): string {
    return site.docks.find((dock) => dock.by === by)?.prefix ?? assert.fail()
  }

  async function skopeo(...args: readonly string[]): Promise<string> {
    return site.machine.run('skopeo', args)
  }
})
