import assert from 'node:assert/strict'
import { Agent } from 'node:https'
import { gunzipSync } from 'node:zlib'
import { after, before, describe, test } from 'node:test'
import { adminOf, adminPassword, startCaisson, type Caisson } from '../helpers/caisson.ts'
import { openOldDockerSite, type OldDockerSite } from '../helpers/old-docker-site.ts'
import { done } from '../helpers/outcome.ts'
import { attempt } from '../helpers/program.ts'
import { RegistryClient } from '../helpers/registry-client.ts'
import { payloadSum, pushV1, v1Image } from '../helpers/v1-client.ts'

const launcher = new URL('../../cli/caisson.js', import.meta.url).pathname
const base = v1Image('base', undefined, { container_config: { Cmd: ['/bin/sh', '-c', '#(nop) ADD <&> in /'] } })
const packed = v1Image('app', base, { docker_version: '1.7.1', config: { Env: ['A=<b>'], Labels: { team: 'docks' } } })
const tar = gunzipSync(packed.layer)
/** Its layer is no gzip. */
const app = { ...packed, layer: tar, payload: payloadSum(packed.json, tar) }

describe('caisson copy from a V1 repository of Caisson to a V2 repository of another, both over TLS and with a login', () => {
  const resources = new AsyncDisposableStack()
  let from: OldDockerSite
  let to: Caisson
  let target: RegistryClient
  /** By tag: what the migration makes of it. */
  const migrated = new Map<string, string | undefined>()

  before(async () => {
    from = resources.use(await openOldDockerSite({ forceAuthentication: true }))
    to = resources.use(await startCaisson())
    target = await adminOf(to)
    const agent = new Agent({ ca: from.authority, servername: 'localhost' })
    const v1 = new RegistryClient({ host: '127.0.0.1', port: from.caisson.ports[1] ?? 0, agent }, '/v1').as(from.admin)
    await pushV1(v1, 'team/app', 'base', [base])
    await pushV1(v1, 'team/app', '1', [base, app])
    await pushV1(v1, 'ubuntu', '14.04', [base])
    const answer = await v1.ask('POST', 'migrate', {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ targetRepo: 'docker-local' }),
    })
    const { tags } = answer.json() as { tags: readonly { image: string; tag: string; digest: string | undefined }[] }
    for (const { image, tag, digest } of tags) migrated.set(`${image}:${tag}`, digest)
    assert.equal(migrated.size, 3, answer.body.toString())
  })
  after(async () => resources.disposeAsync())

  for (const dock of ['port', 'split port'] as const)
    test(`by ${dock}, one image: it is the one that a migration makes`, async () => {
      const into = `copied/by-${dock.replace(' ', '-')}`
      done(await copy(`docker-v1://${from.docks[dock]}/team/app:1`, into))
      assert.equal(await digestAt(into, '1'), migrated.get('team/app:1'))
    })

  test('all that a search finds, and again, when all is there already', async () => {
    done(await copy(`docker-v1://${from.docks.port}`, ''))
    for (const [name, digest] of migrated) {
      const [image = '', tag = ''] = name.split(':')
      assert.equal(await digestAt(image, tag), digest, name)
    }
    const again = await copy(`docker-v1://${from.docks.port}`, '')
    assert.match(again.stderr, /^0 copied \(0 B\), 3 already there, 0 failed\n$/)
  })

  test('a wrong password, none, and an authority that nobody knows are told, and nothing is copied', async () => {
    const source = `docker-v1://${from.docks.port}/team/app:1`
    for (const [env, login, why] of [
      [{ SOURCE: 'wrong' }, undefined, /401, with credentials/],
      [{}, ['--source-ca', from.caisson.authorityFile], /401, without credentials/],
      [{}, asSource, /certificate/],
    ] as const) {
      const { exitCode, stdout } = await copy(source, 'none', env, login)
      assert.equal(exitCode, 1)
      assert.match(stdout, why)
    }
    assert.equal(await digestAt('none', '1'), undefined)
  })

  const asSource = ['--source-user', 'admin', '--source-password', 'env:SOURCE']

  async function copy(source: string, image: string, env: object = {}, login?: readonly string[]) {
    const words = [source, `docker://localhost:${to.ports[1]}${image === '' ? '' : `/${image}`}`]
    const asTarget = ['--target-user', 'admin', '--target-password', 'env:TARGET', '--target-ca', to.authorityFile]
    const options = [...(login ?? [...asSource, '--source-ca', from.caisson.authorityFile]), ...asTarget]
    const passwords = { SOURCE: adminPassword, TARGET: adminPassword, ...env }
    return await attempt(process.execPath, [launcher, 'copy', ...words, ...options], { env: passwords })
  }

  async function digestAt(image: string, tag: string): Promise<string | undefined> {
    const answer = await target.ask('GET', `${image}/manifests/${tag}`)
    return answer.status === 200 ? String(answer.headers['docker-content-digest']) : undefined
  }
})
