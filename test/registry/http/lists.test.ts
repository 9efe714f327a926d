import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Answer, RegistryClient } from '../../helpers/registry-client.ts'
import { startTestRegistry } from '../../helpers/registry.ts'
import { tinyImage } from '../../helpers/tiny-image.ts'

const registry = await startTestRegistry({
  repositories: {
    docker: { type: 'local' },
    'docker-local': { type: 'local' },
    empty: { type: 'local' },
    old: { type: 'local', apiVersion: 'v1' },
    hub: { type: 'remote', url: 'https://registry-1.docker.io' },
    secret: { type: 'local' },
  },
  forceAuthentication: ['secret'],
})
after(() => registry[Symbol.asyncDispose]())
const { admin, anonymous } = registry
const image = tinyImage('listed')
const tags = ['1', '10', '2', 'Latest', 'a', 'latest']
for (const tag of tags) await admin.push('hello', tag, image)
await admin.push('team/app', '1', image)
for (const key of ['docker', 'secret']) await admin.at(`/artifactory/api/docker/${key}/v2`).push('hello', '1', image)
const pathMode = anonymous.at('/v2')

function nextOf({ headers: { link } }: Answer): string | undefined {
  return /^<([^>]+)>; rel="next"$/.exec(link?.toString() ?? '')?.[1]
}

async function allPages(client: RegistryClient, first: string): Promise<readonly unknown[]> {
  const pages: unknown[] = []
  for (let next: string | undefined = first; next !== undefined;) {
    const answer = await client.ask('GET', next)
    assert.equal(answer.status, 200)
    pages.push(answer.json())
    next = nextOf(answer)
  }
  return pages
}

test('tags come in byte order, under the name that the client knows', async () => {
  assert.deepEqual((await anonymous.ask('GET', 'hello/tags/list')).json(), { name: 'hello', tags })
  const named = await pathMode.ask('GET', 'docker-local/hello/tags/list')
  assert.deepEqual(named.json(), { name: 'docker-local/hello', tags })
  assert.equal(named.headers['content-type'], 'application/json')
})

test('HEAD of a list has the length that GET has', async () => {
  for (const list of ['hello/tags/list', '_catalog']) {
    const [get, head] = [await anonymous.ask('GET', list), await anonymous.ask('HEAD', list)]
    assert.deepEqual([head.status, head.body.length], [200, 0])
    assert.equal(head.headers['content-length'], String(get.body.length))
  }
})

test('tags come in pages, each with a link to the next one', async () => {
  const pages = await allPages(anonymous, 'hello/tags/list?n=4')
  assert.deepEqual(pages, [
    { name: 'hello', tags: tags.slice(0, 4) },
    { name: 'hello', tags: tags.slice(4) },
  ])
  const first = await pathMode.ask('GET', 'docker-local/hello/tags/list?n=3')
  assert.equal(nextOf(first), 'http://registry.test/v2/docker-local/hello/tags/list?n=3&last=2')
})

test('tags go on after any text, also one that is no tag, and end without a link', async () => {
  for (const [query, expected] of [
    ['last=2', tags.slice(3)],
    ['last=1z', tags.slice(2)],
    ['n=2&last=a', ['latest']],
    ['last=zzz', []],
    ['n=0', []],
    ['n=6', tags],
    ['n=2147483647', tags],
  ] as const) {
    const answer = await anonymous.ask('GET', `hello/tags/list?${query}`)
    assert.deepEqual(answer.json(), { name: 'hello', tags: expected }, query)
    assert.equal(nextOf(answer), undefined, query)
  }
})

test('a number of results that is none is 400', async () => {
  for (const n of ['-1', 'x', '1.5', ''])
    for (const path of ['hello/tags/list', '_catalog']) {
      const answer = await anonymous.ask('GET', `${path}?n=${n}`)
      assert.equal(answer.status, 400)
      assert.equal(answer.error(), 'PAGINATION_NUMBER_INVALID')
    }
})

test('the tags of an image that does not exist are 404', async () => {
  for (const path of [
    'nothing/tags/list',
    '/v2/docker-local/nothing/tags/list',
    '/v2/nothing/hello/tags/list',
    '/v2/hello/tags/list',
    '/artifactory/api/docker/nothing/v2/hello/tags/list',
    '/artifactory/api/docker/UPPER/v2/hello/tags/list',
  ]) {
    const answer = await anonymous.ask('GET', path)
    assert.equal(answer.status, 404, path)
    assert.equal(answer.error(), 'NAME_UNKNOWN')
  }
})

test('the catalog of a repository has its images', async () => {
  assert.deepEqual((await anonymous.ask('GET', '_catalog')).json(), { repositories: ['hello', 'team/app'] })
  assert.deepEqual(await allPages(anonymous, '_catalog?n=1'), [
    { repositories: ['hello'] },
    { repositories: ['team/app'] },
  ])
  const empty = await anonymous.at('/artifactory/api/docker/empty/v2').ask('GET', '_catalog')
  assert.deepEqual(empty.json(), { repositories: [] })
})

test('the catalog without a key has the images of all repositories that the caller may read, in byte order', async () => {
  const open = ['docker-local/hello', 'docker-local/team/app', 'docker/hello']
  assert.deepEqual((await pathMode.ask('GET', '_catalog')).json(), { repositories: open })
  const all = { repositories: [...open, 'secret/hello'] }
  assert.deepEqual((await admin.ask('GET', '/artifactory/api/docker/v2/_catalog')).json(), all)
})

test('the catalog without a key comes in pages across repositories', async () => {
  assert.deepEqual(await allPages(admin.at('/v2'), '_catalog?n=2'), [
    { repositories: ['docker-local/hello', 'docker-local/team/app'] },
    { repositories: ['docker/hello', 'secret/hello'] },
  ])
  const after = await pathMode.ask('GET', '_catalog?last=docker-local/m')
  assert.deepEqual(after.json(), { repositories: ['docker-local/team/app', 'docker/hello'] })
})

test('a token lists images when that was asked for', async () => {
  const wide = await admin.token('registry:catalog:*')
  assert.equal((await anonymous.withToken(wide).ask('GET', '_catalog')).status, 200)
  const narrow = await admin.token('repository:hello:pull')
  const refused = await anonymous.withToken(narrow).ask('GET', '_catalog')
  assert.equal(refused.status, 401)
  assert.match(String(refused.headers['www-authenticate']), /scope="registry:catalog:\*",error="insufficient_scope"$/)
})
