import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { command } from '../../../helpers/command.ts'
import { startTestRegistry, type TestRegistry } from '../../../helpers/registry.ts'
import type { RegistryClient } from '../../../helpers/registry-client.ts'
import { tinyImage } from '../../../helpers/tiny-image.ts'
import { addUser, onAccess, target } from '../../../helpers/users.ts'
import { pushV1, v1Image } from '../../../helpers/v1-client.ts'

interface Found {
  readonly query: string
  readonly num_results: number
  readonly num_pages: number
  readonly page: number
  readonly page_size: number
  readonly results: readonly { readonly name: string; readonly description: string }[]
}

const at = (key: string, api = 'v1') => `/artifactory/api/docker/${key}/${api}`

describe('search', () => {
  const resources = new AsyncDisposableStack()
  let registry: TestRegistry
  let alice: RegistryClient

  before(async () => {
    const origin = resources.use(await startTestRegistry())
    await origin.admin.push('library/nginx', 'v1', tinyImage('one'))
    const imagePaths = [{ from: '', to: 'docker-local' }]
    registry = resources.use(
      await startTestRegistry({
        repositories: {
          'docker-local': { type: 'local' },
          'docker-prod': { type: 'local' },
          'docker-v1': { type: 'local', apiVersion: 'v1' },
          'docker-hub': { type: 'remote', url: `http://127.0.0.1:${origin.port}`, addLibrary: true, imagePaths },
          docker: { type: 'virtual', members: ['docker-local', 'docker-prod', 'docker-hub', 'docker-v1'] },
        },
      }),
    )
    const { admin } = registry
    for (const image of ['jfrog/ubuntu', 'jfrog/ubuntu-slim', 'debian']) await admin.push(image, 'v1', tinyImage(image))
    await admin.at(at('docker-prod', 'v2')).push('jfrog/ubuntu', 'v1', tinyImage('prod'))
    await admin.at(at('docker-prod', 'v2')).push('ubuntu-core', 'v1', tinyImage('prod'))
    await pushV1(admin.at(at('docker-v1')), 'ubuntu', 'latest', [v1Image('base')])
    assert.equal((await admin.at(at('docker-hub', 'v2')).ask('GET', 'nginx/manifests/v1')).status, 200)
    await command(registry.dataDirectory, 'describe', 'docker-local/debian', 'Not ubuntu')
    alice = registry.anonymous.as(await addUser(registry, 'alice'))
  })
  after(async () => resources.disposeAsync())

  async function search(key: string | undefined, query: string, client = registry.anonymous): Promise<Found> {
    const path = key === undefined ? '/artifactory/api/docker/v1/search' : `${at(key)}/search`
    const answer = await client.ask('GET', `${path}?${query}`)
    assert.equal(answer.status, 200, answer.body.toString())
    assert.equal(answer.headers['content-type'], 'application/json')
    return answer.json() as Found
  }

  async function names(key: string | undefined, query: string, client?: RegistryClient): Promise<readonly string[]> {
    return (await search(key, query, client)).results.map(({ name }) => name)
  }

  test('what is found is answered in the fields of Docker Hub', async () => {
    const rest = { star_count: 0, is_official: false, is_automated: false, is_trusted: false }
    assert.deepEqual(await search('docker-local', 'q=Ubun'), {
      query: 'Ubun',
      num_results: 3,
      num_pages: 1,
      page: 1,
      page_size: 25,
      results: [
        { name: 'debian', description: 'Not ubuntu', ...rest },
        { name: 'jfrog/ubuntu', description: '', ...rest },
        { name: 'jfrog/ubuntu-slim', description: '', ...rest },
      ],
    })
    assert.deepEqual((await search('docker-local', 'q=fedora')).results, [])
    assert.equal((await search('docker-local', '')).num_results, 3)
  })

  test('a repository of the V1 API is searched the same, and tells its names as it keeps them', async () => {
    assert.deepEqual(await names('docker-v1', 'q=ubun'), ['library/ubuntu'])
    assert.equal((await command(registry.dataDirectory, 'describe', 'docker-v1/ubuntu', 'Of old')).stderr, '')
    assert.deepEqual((await search('docker-v1', 'q=OLD')).results[0]?.description, 'Of old')
  })

  test('what a remote repository has fetched is found, and nothing is asked of its upstream', async () => {
    for (const key of ['docker-hub', 'docker-hub-cache']) assert.deepEqual(await names(key, 'q=n'), ['library/nginx'])
    assert.deepEqual(await names('docker-hub', 'q=jfrog'), [])
  })

  test('a virtual repository finds what its members have, each name once, and nothing that only the V1 API serves', async () => {
    assert.deepEqual(await names('docker', 'q=ubuntu'), ['debian', 'jfrog/ubuntu', 'jfrog/ubuntu-slim', 'ubuntu-core'])
    assert.deepEqual(await names('docker', 'q=nginx'), ['library/nginx'])
  })

  test('where names begin with the key, all repositories are searched', async () => {
    assert.deepEqual(await names(undefined, 'q=ubuntu'), [
      'docker-local/debian',
      'docker-local/jfrog/ubuntu',
      'docker-local/jfrog/ubuntu-slim',
      'docker-prod/jfrog/ubuntu',
      'docker-prod/ubuntu-core',
      'docker-v1/library/ubuntu',
    ])
    assert.deepEqual(await names(undefined, 'q=docker'), [])
    assert.deepEqual(await names(undefined, 'q=docker-prod/ubuntu'), [
      'docker-prod/jfrog/ubuntu',
      'docker-prod/ubuntu-core',
    ])
    assert.deepEqual(await names(undefined, 'q=prod/ubuntu'), [])
  })

  test('results come in pages', async () => {
    const page = async (page: number) => search('docker', `q=ubuntu&n=3&page=${page}`)
    const [first, second, third] = [await page(1), await page(2), await page(3)]
    assert.deepEqual(
      first.results.map(({ name }) => name),
      ['debian', 'jfrog/ubuntu', 'jfrog/ubuntu-slim'],
    )
    assert.deepEqual(
      second.results.map(({ name }) => name),
      ['ubuntu-core'],
    )
    assert.deepEqual(third.results, [])
    for (const found of [first, second, third])
      assert.deepEqual([found.num_results, found.num_pages, found.page_size], [4, 2, 3])
  })

  test('a page that cannot be is refused with what is expected', async () => {
    for (const [query, message] of [
      ['n=0', 'the query parameter n is "0": expected a number from 1 to 100'],
      ['n=101', 'the query parameter n is "101": expected a number from 1 to 100'],
      ['n=ten', 'the query parameter n is "ten": expected a number from 1 to 100'],
      ['page=0', 'the query parameter page is "0": expected a number from 1 on'],
      ['page=-1', 'the query parameter page is "-1": expected a number from 1 on'],
      [`q=${'x'.repeat(256)}`, 'the query parameter q is too long: expected at most 255 characters'],
    ] as const) {
      const answer = await registry.anonymous.ask('GET', `${at('docker-local')}/search?${query}`)
      assert.deepEqual([answer.status, answer.json()], [400, { error: message }])
    }
    assert.equal((await registry.anonymous.ask('GET', `${at('no-such')}/search?q=a`)).status, 404)
    assert.equal((await registry.anonymous.ask('POST', `${at('docker-local')}/search?q=a`)).status, 405)
  })

  test('nobody finds what they may not read', async () => {
    await onAccess(registry, async (store) => {
      for (const { name } of await store.listTargets()) await store.removeTarget(name)
      await store.putTarget(target('Slim', { includes: ['*/ubuntu-slim/**'], users: { anonymous: ['read'] } }))
      await store.putTarget(target('Alice', { includes: ['debian/v1', 'jfrog/ubuntu/v2'], users: { alice: ['read'] } }))
    })
    assert.deepEqual(await names('docker-local', 'q=u'), ['jfrog/ubuntu-slim'])
    assert.deepEqual(await names('docker', 'q=u'), ['jfrog/ubuntu-slim'])
    assert.deepEqual(await names('docker-local', 'q=u', alice), ['debian', 'jfrog/ubuntu-slim'])
    assert.equal((await search('docker-local', 'q=u', alice)).num_results, 2)
    assert.deepEqual(await names('docker-prod', 'q=u', alice), [])
    assert.deepEqual(await names(undefined, 'q=debian', alice), ['docker-local/debian'])
    assert.deepEqual((await names(undefined, 'q=u', registry.admin)).length, 6)

    const scopes = [
      ['registry:catalog:search', ['debian', 'jfrog/ubuntu-slim']],
      ['repository:debian:pull', ['debian']],
      ['repository:jfrog/ubuntu:push', []],
    ] as const
    for (const [scope, found] of scopes) {
      const holder = registry.anonymous.withToken(await alice.token(scope))
      assert.deepEqual(await names('docker-local', 'q=u', holder), found, scope)
    }

    const wrong = registry.anonymous.as({ name: 'alice', password: 'wrong' })
    const refused = await wrong.ask('GET', `${at('docker-local')}/search?q=u`)
    assert.equal(refused.status, 401)
    assert.match(String(refused.headers['www-authenticate']), /^Basic realm=/)
  })
})

test('where everybody has to log in, so has who searches', async () => {
  await using registry = await startTestRegistry({ anonymousAccess: false })
  await registry.admin.push('app', 'v1', tinyImage('one'))
  const path = `${at('docker-local')}/search?q=app`
  const refused = await registry.anonymous.ask('GET', path)
  assert.equal(refused.status, 401)
  assert.match(String(refused.headers['www-authenticate']), /^Basic realm=/)
  assert.equal((await registry.admin.ask('GET', path)).status, 200)
  assert.equal((await registry.anonymous.ask('GET', `${at('docker-local')}/_ping`)).status, 200)
})
