import assert from 'node:assert/strict'
import { test } from 'node:test'
import { redirected, status } from '../../../helpers/upstream/faults.ts'
import { TestListener } from '../../../helpers/upstream/test-listener.ts'
import { plan } from '../../../helpers/upstream/plan.ts'
import { bytesOf, clientOf, digest, failing, image, startUpstream } from './upstreams.ts'

const login = { username: 'us', password: 'a secret word' }
process.env.CAISSON_TEST_UPSTREAM = login.password
const asUs = { username: login.username, password: { env: 'CAISSON_TEST_UPSTREAM' } }

test('a blob is fetched from where the upstream sends us, without what authenticates us, and from its offset', async (t) => {
  for (const options of [{ login }, { tokens: { login } }]) {
    const upstream = await startUpstream(t, options)
    const wanted = digest(await upstream.content.pattern(image, 1000))
    const { client } = await clientOf(t, upstream.url, asUs)
    await client.blobHead(image, wanted)
    for (const code of [301, 302, 303, 307, 308]) {
      upstream.heal()
      upstream.break(
        'blob',
        redirected((path) => `${upstream.elsewhere.url}${path}?signature=secret`, code),
      )
      const blob = await client.blob(image, wanted, 10)
      assert.deepEqual([blob?.offset, blob?.size], [10, 1000])
      assert.equal((await bytesOf(blob)).length, 990)
    }
    assert.ok(upstream.requests.slice(2).every(({ headers }) => headers.authorization !== undefined))
    assert.deepEqual(
      upstream.elsewhere.requests.map(({ headers }) => [headers.authorization, headers.range]),
      Array.from({ length: 5 }, () => [undefined, 'bytes=10-']),
    )
  }
})

test('a redirect that stays on the host keeps what authenticates us', async (t) => {
  const upstream = await startUpstream(t, { login })
  const wanted = digest(upstream.content.blob('moved/nginx', Buffer.from('a layer')))
  upstream.break(
    'blob',
    redirected((path) => path.replace('library/', 'moved/')),
    1,
  )
  const { client } = await clientOf(t, upstream.url, { ...asUs, enableTokenAuthentication: false })
  assert.equal((await bytesOf(await client.blob(image, wanted, 0))).toString(), 'a layer')
})

test('what authenticates us is not shown again on the way back from another host', async (t) => {
  const upstream = await startUpstream(t, { login })
  const wanted = digest(upstream.content.blob(image, Buffer.from('a layer')))
  upstream.break(
    'blob',
    redirected((path) => `${upstream.elsewhere.url}${path}`),
    1,
  )
  upstream.break(
    'elsewhere',
    redirected((path) => `${upstream.url}${path}?back`),
  )
  const { client } = await clientOf(t, upstream.url, { ...asUs, enableTokenAuthentication: false })
  await assert.rejects(client.blob(image, wanted, 0), failing('refused'))
  assert.deepEqual(upstream.requests.map(({ headers }) => headers.authorization !== undefined).slice(0, 2), [
    true,
    false,
  ])
})

test('five redirects are followed, and not a sixth', async (t) => {
  for (const [hops, follows] of [
    [5, true],
    [6, false],
  ] as const) {
    const upstream = await startUpstream(t)
    const wanted = digest(upstream.content.blob(image, Buffer.from('a layer')))
    upstream.break(
      'blob',
      redirected((path) => `${path}${path.includes('?') ? '1' : '?1'}`),
      hops,
    )
    const { client } = await clientOf(t, upstream.url)
    if (follows) assert.ok(await bytesOf(await client.blob(image, wanted, 0)))
    else await assert.rejects(client.blob(image, wanted, 0), failing('wrong', /more than 5 redirects/))
  }
})

test('a redirect back to where it came from is refused', async (t) => {
  const upstream = await startUpstream(t)
  const wanted = digest(upstream.content.blob(image, Buffer.from('a layer')))
  upstream.break(
    'blob',
    redirected((path) => `${upstream.elsewhere.url}${path}`),
  )
  upstream.break(
    'elsewhere',
    redirected((path) => `${upstream.url}${path}`),
  )
  const { client } = await clientOf(t, upstream.url)
  await assert.rejects(client.blob(image, wanted, 0), failing('wrong', /lead back/))
  assert.equal(upstream.requests.length, 1)
})

test('whether a blob is there is known when the place where it is fetched does not say it', async (t) => {
  const upstream = await startUpstream(t)
  const wanted = digest(upstream.content.blob(image, Buffer.from('a layer')))
  upstream.break(
    'blob',
    redirected((path) => `${upstream.elsewhere.url}${path}`),
  )
  const { client } = await clientOf(t, upstream.url)
  assert.deepEqual(await client.blobHead(image, wanted), { size: 7 })
  upstream.break('elsewhere', status(403))
  assert.deepEqual(await client.blobHead(image, wanted), { size: undefined })
  await assert.rejects(
    client.blob(image, wanted, 0),
    failing('refused', /403 by 127\.0\.0\.1:\d+, without credentials/),
  )
})

test('what signs a redirect is in no message', async (t) => {
  const upstream = await startUpstream(t)
  const wanted = digest(upstream.content.blob(image, Buffer.from('a layer')))
  const { client } = await clientOf(t, upstream.url)
  for (const fault of [status(403), status(500), redirected((path) => `${path}?signature=secret2`)]) {
    upstream.heal()
    upstream.break(
      'blob',
      redirected((path) => `${upstream.elsewhere.url}${path}?signature=secret`),
    )
    upstream.break('elsewhere', fault)
    await assert.rejects(
      client.blob(image, wanted, 0),
      (error) => !`${String(error)}${JSON.stringify(error)}`.includes('secret'),
    )
  }
})

test('a list goes on below the same path of the same host alone', async (t) => {
  const links = [
    ['<http://elsewhere.example/v2/library/nginx/tags/list?last=a>; rel="next"', /continues where it may not/],
    ['</secret?last=a>; rel="next"', /continues where it may not/],
    ['</v2/../secret>; rel=next', /continues where it may not/],
    ['</v2/library/nginx/tags/list?n=1000>; rel="next"', /no end/],
  ] as const
  for (const [link, message] of links) {
    const listener = await TestListener.open({}, () => plan(200, '{"tags":["a"]}', { link }))
    t.after(() => listener[Symbol.asyncDispose]())
    const { client } = await clientOf(t, listener.url)
    await assert.rejects(client.tags(image), failing('wrong', message))
    assert.equal(listener.requests.length, 1)
  }
})

test('other links, and one with a scheme that a proxy wrote wrongly, are understood', async (t) => {
  const listener = await TestListener.open({}, ({ url, headers: { host } }) => {
    const link = `</v2/first>; rel=first, <https://${host}/v2/library/nginx/tags/list?last=a>; title="a, b"; rel="prev next"`
    return url.includes('last=')
      ? plan(200, '{"tags":["b"]}', { link: '</v2/x>; rel="last"' })
      : plan(200, '{"tags":["a"]}', { link })
  })
  t.after(() => listener[Symbol.asyncDispose]())
  const { client } = await clientOf(t, listener.url)
  assert.deepEqual(await client.tags(image), ['a', 'b'])
})

test('a list without end is given up', async (t) => {
  let page = 0
  const listener = await TestListener.open({}, () =>
    plan(200, '{"tags":["a"]}', { link: `</v2/library/nginx/tags/list?last=${++page}>; rel="next"` }),
  )
  t.after(() => listener[Symbol.asyncDispose]())
  const { client } = await clientOf(t, listener.url)
  await assert.rejects(client.tags(image), failing('wrong', /no end/))
  assert.equal(page, 200)
})

test('a list that is too large is given up', async (t) => {
  const tags = JSON.stringify({ tags: Array.from({ length: 200_001 }, (_, index) => `t${index}`) })
  let last = ''
  const listener = await TestListener.open({}, () =>
    plan(200, tags + last, { link: '</v2/library/nginx/tags/list?x>; rel="next"' }),
  )
  t.after(() => listener[Symbol.asyncDispose]())
  const { client } = await clientOf(t, listener.url)
  await assert.rejects(client.tags(image), failing('wrong', /200000 entries/))
  last = ' '.repeat(32 * 1024 * 1024)
  await assert.rejects(client.tags(image), failing('wrong', /larger than/))
})
