import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { containerdHosts } from '../../certs/trust-instructions.ts'
import { without } from '../helpers/available.ts'
import { adminPassword } from '../helpers/caisson.ts'
import { writeOciLayout } from '../helpers/oci-layout.ts'
import { openSite } from '../helpers/site.ts'
import type { Site } from '../helpers/site.ts'

const user = ['--user', `admin:${adminPassword}`]

describe('containerd', { skip: without('containerd', 'ctr') }, () => {
  const resources = new AsyncDisposableStack()
  let site: Site

  before(async () => {
    site = resources.use(await openSite())
    await site.machine.configure(
      'containerd/config.toml',
      'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n',
    )
    await site.machine.start('containerd', []).says(/containerd successfully booted/)
  })
  after(async () => resources.disposeAsync())

  for (const by of ['port', 'path', 'host'] as const) {
    test(`ctr pushes an image by ${by}, and anybody pulls the same one`, async () => {
      const image = `${dockBy(by).prefix}/ctr/${by}`
      const layout = await writeOciLayout(site.machine, `ctr-${by}`, '1')
      await images('import', '--base-name', image, '--digests', layout.archive)
      await images('push', '--tlscacert', site.caisson.authorityFile, ...user, `${image}:1`)
      await images('remove', '--sync', `${image}:1`, `${image}@${layout.manifestDigest}`)

      await images('pull', '--tlscacert', site.caisson.authorityFile, '--snapshotter', 'native', `${image}:1`)

      assert.match(await images('list', `name==${image}:1`), new RegExp(layout.manifestDigest))
    })
  }

  test('ctr pulls with the hosts.toml that `caisson certs trust` prints', async () => {
    const { registry, prefix } = dockBy('host')
    const layout = await writeOciLayout(site.machine, 'hosts-toml', '1')
    await images('import', '--base-name', `${prefix}/hosts-toml`, layout.archive)
    await images('push', '--tlscacert', site.caisson.authorityFile, ...user, `${prefix}/hosts-toml:1`)
    const directory = site.machine.etc('containerd/certs.d')
    await site.machine.configure(`containerd/certs.d/${registry}/hosts.toml`, containerdHosts(registry))
    await site.machine.run('cp', [site.caisson.authorityFile, join(directory, registry, 'ca.crt')])

    await images('pull', '--hosts-dir', directory, '--snapshotter', 'native', `${prefix}/hosts-toml:1`)
  })

  test('ctr is refused a push without login', async () => {
    const image = `${dockBy('port').prefix}/ctr/refused`
    const layout = await writeOciLayout(site.machine, 'ctr-refused', '1')
    await images('import', '--base-name', image, layout.archive)
    const args = ['images', 'push', '--tlscacert', site.caisson.authorityFile, `${image}:1`]

    const refused = await site.machine.attempt('ctr', args)

    assert.notEqual(refused.exitCode, 0)
    assert.match(refused.stderr, /401 Unauthorized|authorization failed|no basic auth credentials|insufficient_scope/)
  })

  function dockBy(by: 'port' | 'path' | 'host') {
    return site.docks.find((dock) => dock.by === by) ?? assert.fail()
  }

  async function images(...args: readonly string[]): Promise<string> {
    return site.machine.run('ctr', ['images', ...args])
  }
})
