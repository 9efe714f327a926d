import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { without } from '../helpers/available.ts'
import { writeBuildContext } from '../helpers/build-context.ts'
import { adminPassword } from '../helpers/caisson.ts'
import type { Output } from '../helpers/program.ts'
import { openSite } from '../helpers/site.ts'
import type { Site } from '../helpers/site.ts'

describe('podman', { skip: without('podman') }, () => {
  const resources = new AsyncDisposableStack()
  let site: Site

  before(async () => {
    site = resources.use(await openSite())
  })
  after(async () => resources.disposeAsync())

  test('podman logs in with the right password and is told so for a wrong one', async () => {
    const registry = registryBy('port')
    const wrong = await login(registry, 'not the password')
    assert.notEqual(wrong.exitCode, 0)
    assert.match(wrong.stderr, /invalid username\/password|unauthorized/)

    const right = await login(registry, adminPassword)
    assert.match(right.stdout, /Login Succeeded/)
    await podman('logout', registry)
  })

  test('podman is refused a push without login', async () => {
    const image = `${registryBy('port')}/refused:1`
    await build(image)

    const refused = await site.machine.attempt('podman', ['push', image])

    assert.notEqual(refused.exitCode, 0)
    assert.match(refused.stderr, /unauthorized|denied|authentication required/)
  })

  for (const by of ['port', 'path', 'host'] as const) {
    for (const format of ['oci', 'docker'] as const) {
      test(`podman pushes an image of format ${format} by ${by}, and anybody pulls the same one`, async () => {
        const { registry, prefix } = site.docks.find((dock) => dock.by === by) ?? assert.fail()
        const image = `${prefix}/${format}/hello:1`
        await build(image, '--format', format)
        const id = await imageId(image)
        await login(registry, adminPassword)
        await podman('push', image)
        await podman('logout', registry)
        await podman('rmi', '--force', id)

        await podman('pull', image)

        assert.equal(await imageId(image), id)
      })
    }
  }

  test('podman says what is wrong where the certificate is not trusted', async () => {
    const refused = await site.machine.attempt('podman', ['pull', `${site.untrusted}/hello:1`])
    assert.notEqual(refused.exitCode, 0)
    assert.match(refused.stderr, /x509: certificate signed by unknown authority/)
  })

  function registryBy(by: 'port' | 'path' | 'host'): string {
    return site.docks.find((dock) => dock.by === by)?.registry ?? assert.fail()
  }

  async function podman(...args: readonly string[]): Promise<string> {
    return site.machine.run('podman', args)
  }

  async function login(registry: string, password: string): Promise<Output> {
    return site.machine.attempt('podman', ['login', '--username', 'admin', '--password-stdin', registry], {
      input: password,
    })
  }

  async function build(image: string, ...options: readonly string[]): Promise<void> {
    const context = await writeBuildContext(site.machine, image.replaceAll(/[^a-z0-9]/g, '-'))
    await podman('build', '--quiet', ...options, '--tag', image, context)
  }

  async function imageId(image: string): Promise<string> {
    return podman('image', 'inspect', '--format', '{{.Id}}', image)
  }
})
