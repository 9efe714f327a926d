import assert from 'node:assert/strict'
import { statfs } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { without } from '../helpers/available.ts'
import { adminPassword, authorityOf } from '../helpers/caisson.ts'
import { ask } from '../helpers/https-client.ts'
import { writeOciLayout, type OciLayout } from '../helpers/oci-layout.ts'
import type { Output } from '../helpers/program.ts'
import { openSite, type Site } from '../helpers/site.ts'
import { noTinyFilesystem, tinyFilesystem } from '../helpers/tiny-filesystem.ts'

const login = `admin:${adminPassword}`
const mebibyte = 1024 * 1024

describe('skopeo', { skip: without('skopeo') }, () => {
  test('skopeo says why the quota refuses an image, and pushes it once another one has been deleted', async () => {
    await using site = await openSite({ repositories: { 'docker-local': { type: 'local', quota: '700B' } } })
    const first = await writeOciLayout(site.machine, 'first', '1')
    const second = await writeOciLayout(site.machine, 'second', '1')
    succeeded(await push(site, first, 'team/first:1'))

    const refused = await push(site, second, 'team/second:1')
    assert.notEqual(refused.exitCode, 0)
    assert.match(
      refused.stderr,
      /denied: the quota of the repository docker-local is 700 B: \d+ B are used, and the blob has \d+ B; delete what/,
    )
    succeeded(await push(site, first, 'team/first:2'))

    const { registry } = dockOf(site)
    const image = `https://${registry}/artifactory/docker-local/team/first`
    const deleted = await ask(await authorityOf(site.caisson), image, { method: 'DELETE', login })
    assert.equal(deleted.status, 204, deleted.text())
    succeeded(await push(site, second, 'team/second:1'))
  })

  test('skopeo is told at once that the disk is full, and does not fill it', { skip: noTinyFilesystem }, async () => {
    await using disk = await tinyFilesystem(32)
    await using site = await openSite({
      storage: { filesystem: `${disk.path}/blobs` },
      limits: { freeSpace: '16MiB' },
    })
    succeeded(await push(site, await writeOciLayout(site.machine, 'small', '1', mebibyte), 'small:1'))

    const refused = await push(site, await writeOciLayout(site.machine, 'large', '1', 20 * mebibyte), 'large:1')
    assert.notEqual(refused.exitCode, 0)
    assert.match(refused.stderr, /507 Insufficient Storage|the registry's disk has [\d.]+ MiB left, of which 16 MiB/)
    const { bavail, bsize } = await statfs(disk.path)
    assert.ok(bavail * bsize >= 16 * mebibyte)
    succeeded(await site.machine.attempt('skopeo', ['inspect', `docker://${dockOf(site).prefix}/small:1`]))
  })
})

function dockOf({ docks }: Site) {
  return docks.find(({ by }) => by === 'host') ?? assert.fail()
}

async function push(site: Site, { directory }: OciLayout, image: string): Promise<Output> {
  const to = `docker://${dockOf(site).prefix}/${image}`
  return site.machine.attempt('skopeo', ['copy', '--dest-creds', login, `oci:${directory}:1`, to])
}

function succeeded({ exitCode, stdout, stderr }: Output): void {
  assert.equal(exitCode, 0, stdout + stderr)
}
