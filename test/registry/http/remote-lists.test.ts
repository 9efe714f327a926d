import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openBrokenUpstreamSite } from '../../helpers/broken-upstream-site.ts'
import { requestFailures } from '../../helpers/request-failures.ts'
import { descriptor, digestOfBytes, ociManifest, tinyImage } from '../../helpers/tiny-image.ts'
import {
  htmlPage,
  redirected,
  reset,
  stalled,
  status,
  withBody,
  withHeaders,
  type Fault,
} from '../../helpers/upstream/faults.ts'

const image = tinyImage('one')
const referrer = tinyImage('signature', { subject: descriptor(ociManifest, image.manifest) })

const json = (value: unknown): Fault => withBody(JSON.stringify(value))
const broken: Readonly<Record<string, readonly Fault[]>> = {
  'a page for people': [htmlPage],
  'no JSON': [withBody('{"tags":[')],
  'no object': [json(['a'])],
  'JSON that nests deep': [withBody(`${'{"tags":'.repeat(20_000)}1${'}'.repeat(20_000)}`)],
  'nothing for long': [stalled('head')],
  'half of it': [reset(10)],
  '500': [status(500)],
  '429': [status(429, { 'retry-after': '0' })],
  'what continues at another host': [withHeaders({ link: '<http://other.test/v2/x>; rel="next"' })],
  'what continues outside of the API': [withHeaders({ link: '</admin>; rel="next"' })],
  'what redirects to itself': [redirected((path) => path)],
}

for (const [title, faults] of Object.entries(broken))
  test(`lists of which the upstream answers ${title} are those of what is cached`, async () => {
    await using site = await openBrokenUpstreamSite()
    const { upstream, client, registry } = site
    for (const tag of ['1', '2']) upstream.content.push('team/app', tag, image)
    upstream.content.push('team/app', 'sig', referrer)
    for (const tag of ['1', 'sig']) await client.ask('GET', `team/app/manifests/${tag}`)
    for (const kind of ['tags', 'catalog', 'referrers'] as const)
      for (const fault of faults) upstream.break(kind, fault)
    const list = async (path: string) => (await client.ask('GET', path)).json()
    assert.deepEqual(await list('team/app/tags/list'), { name: 'team/app', tags: ['1', 'sig'] })
    assert.deepEqual(await list('_catalog'), { repositories: ['team/app'] })
    const { manifests } = (await list(`team/app/referrers/${image.digest}`)) as {
      readonly manifests: readonly object[]
    }
    assert.equal(manifests.length, 1)
    assert.deepEqual(requestFailures(registry), [])
  })

test('a list that leads back to its beginning, or on and on, is none', async () => {
  await using site = await openBrokenUpstreamSite()
  const { upstream, client } = site
  upstream.content.push('team/app', '1', image)
  upstream.break('tags', (answer, path) => withHeaders({ link: `<${path}>; rel="next"` })(answer, path))
  assert.equal((await client.ask('GET', 'team/app/tags/list')).status, 404)
  assert.equal(upstream.count('GET', 'tags'), 1)
  let page = 0
  upstream.break('catalog', (answer, path) =>
    withHeaders({ link: `</v2/_catalog?page=${++page}>; rel="next"` })(answer, path),
  )
  assert.deepEqual((await client.ask('GET', '_catalog')).json(), { repositories: [] })
  assert.equal(upstream.count('GET', 'catalog'), 200)
})

test('of a list with junk there is what can be there', async () => {
  await using site = await openBrokenUpstreamSite()
  const { upstream, client } = site
  upstream.content.push('team/app', '1', image)
  const junk = ['-no', '', 'x'.repeat(129), 'a/b', '<b>', 1, null, { tag: 'x' }, ['x'], 'Ok', 'ok', 'ok']
  upstream.break('tags', json({ name: 'other', tags: junk }))
  assert.deepEqual((await client.ask('GET', 'team/app/tags/list')).json(), { name: 'team/app', tags: ['Ok', 'ok'] })
  upstream.break('catalog', json({ repositories: ['../etc', 'UPPER', 'a//b', 'fine', 7, null, 'also/fine'] }))
  assert.deepEqual((await client.ask('GET', '_catalog')).json(), { repositories: ['also/fine', 'fine'] })
  const good = { mediaType: ociManifest, digest: digestOfBytes('a'), size: 1 }
  const odd = [
    { ...good, annotations: { text: 'yes', number: 1, nested: { text: 'no' } } },
    { ...good, digest: 'sha256:no' },
    { ...good, size: -1 },
    7,
    null,
  ]
  upstream.break('referrers', json({ schemaVersion: 2, manifests: odd }))
  const answer = await client.ask('GET', `team/app/referrers/${image.digest}`)
  // Clients in Go take annotations of another form for no index at all.
  assert.deepEqual(answer.json(), {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [{ ...good, annotations: { text: 'yes' } }],
  })
  for (const body of ['{}', '{"manifests":7}', '{"schemaVersion":2,"layers":[]}', 'null']) {
    upstream.heal()
    upstream.break('referrers', withBody(body))
    const none = await client.ask('GET', `team/app/referrers/${digestOfBytes(body)}`)
    assert.deepEqual((none.json() as { readonly manifests: unknown }).manifests, [])
  }
})

test('a catalog of a hundred thousand images comes page by page, through a virtual repository too', async () => {
  const all = { type: 'virtual', members: ['docker-local', 'hub'] }
  await using site = await openBrokenUpstreamSite({
    remote: { retrievalCachePeriodSecs: 600, excludesPattern: 'team-*/secret/**' },
    repositories: { all },
  })
  const { upstream, registry, client } = site
  const names = Array.from({ length: 100_000 }, (_, index) => `team-${index % 100}/app-${index}`).sort()
  upstream.break('catalog', json({ repositories: [...names, 'team-1/secret'] }))
  await registry.admin.push('zz/local', '1', image)
  for (const [key, expected] of [
    ['hub', names],
    ['all', [...names, 'zz/local']],
  ] as const) {
    const found: string[] = []
    let next: string | undefined = '_catalog?n=9000'
    while (next !== undefined) {
      const answer = await client.at(`/artifactory/api/docker/${key}/v2`).ask('GET', next)
      found.push(...(answer.json() as { readonly repositories: readonly string[] }).repositories)
      next = /<[^>]*\/(_catalog[^>]*)>/.exec(String(answer.headers.link))?.[1]
    }
    assert.deepEqual(found, expected)
  }
  assert.equal(upstream.count('GET', 'catalog'), 1)
})
