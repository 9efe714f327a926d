import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { parseImageName, parseReference } from '../../../../registry/domain/names.ts'
import { withBody, withHeaders, withoutHeader, withoutRanges } from '../../../helpers/upstream/faults.ts'
import { patternBytes } from '../../../helpers/pattern-bytes.ts'
import { buffer } from 'node:stream/consumers'
import { digestOfBytes, ociManifest, tinyImage } from '../../../helpers/tiny-image.ts'
import { bytesOf, clientOf, digest, failing, image, latest, maxManifestBytes, startUpstream } from './upstreams.ts'

test('a manifest comes byte for byte, by tag and by digest, and absence is undefined', async (t) => {
  const upstream = await startUpstream(t)
  const content = tinyImage('a')
  upstream.content.push(image, 'latest', content)
  const { client, observed } = await clientOf(t, upstream.url)
  const expected = { digest: digest(content.digest), mediaType: ociManifest, bytes: content.manifest }
  assert.deepEqual(await client.manifest(image, latest), expected)
  assert.deepEqual(await client.manifest(image, { digest: digest(content.digest) }), expected)
  assert.deepEqual(await client.manifestHead(image, latest), { digest: content.digest })
  assert.equal(await client.manifest(image, parseReference('missing')), undefined)
  assert.equal(await client.manifestHead(parseImageName('no/image'), latest), undefined)
  assert.deepEqual(observed.outcomes, ['200', '200', '200', '404', '404'])
  assert.ok(observed.bytes >= 2 * content.manifest.length)
})

test('every kind of manifest is asked for, in the encoding that it is kept in', async (t) => {
  const upstream = await startUpstream(t)
  upstream.content.push(image, 'latest', tinyImage('a'))
  const { client } = await clientOf(t, upstream.url)
  await client.manifest(image, latest)
  const headers = upstream.requests[0]?.headers ?? {}
  assert.deepEqual(headers.accept?.split(', ').sort(), [
    'application/vnd.docker.distribution.manifest.list.v2+json',
    'application/vnd.docker.distribution.manifest.v1+json',
    'application/vnd.docker.distribution.manifest.v1+prettyjws',
    'application/vnd.docker.distribution.manifest.v2+json',
    'application/vnd.oci.image.index.v1+json',
    'application/vnd.oci.image.manifest.v1+json',
  ])
  assert.equal(headers['accept-encoding'], 'identity')
  assert.equal(headers['user-agent'], 'caisson')
})

test('a registry that says no digest is asked by GET, and the digest is that of the bytes', async (t) => {
  const upstream = await startUpstream(t)
  const content = tinyImage('a')
  upstream.content.push(image, 'latest', content)
  upstream.break('manifest', withoutHeader('docker-content-digest'))
  const { client } = await clientOf(t, upstream.url)
  assert.deepEqual(await client.manifestHead(image, latest), { digest: undefined })
  assert.equal((await client.manifest(image, latest))?.digest, content.digest)
})

test('sha512 is verified as sha512', async (t) => {
  const upstream = await startUpstream(t)
  const { manifest, mediaType } = tinyImage('a')
  const wanted = digest(digestOfBytes(manifest, 'sha512'))
  upstream.content.manifest(image, { mediaType, bytes: manifest }, 'latest', wanted)
  const { client } = await clientOf(t, upstream.url)
  assert.equal((await client.manifest(image, { digest: wanted }))?.digest, wanted)
  assert.equal((await client.manifest(image, latest))?.digest, wanted)
})

test('a vague media type is made out from the manifest', async (t) => {
  const upstream = await startUpstream(t)
  const { manifest, digest: wanted } = tinyImage('a')
  upstream.content.manifest(image, { mediaType: 'application/json', bytes: manifest }, 'latest')
  const { client } = await clientOf(t, upstream.url)
  const found = await client.manifest(image, latest)
  assert.deepEqual([found?.mediaType, found?.digest], [ociManifest, wanted])
})

test('a manifest is as large as it may be, and no larger, whatever is announced', async (t) => {
  const upstream = await startUpstream(t)
  const padded = (bytes: number) => Buffer.from(JSON.stringify({ schemaVersion: 2 }).padEnd(bytes))
  const mediaType = ociManifest
  upstream.content.manifest(image, { mediaType, bytes: padded(maxManifestBytes) }, 'latest')
  upstream.content.manifest(image, { mediaType, bytes: padded(maxManifestBytes + 1) }, 'larger')
  const { client } = await clientOf(t, upstream.url)
  assert.equal((await client.manifest(image, latest))?.bytes.length, maxManifestBytes)
  const larger = client.manifest(image, parseReference('larger'))
  await assert.rejects(larger, failing('wrong', /larger than 65536 bytes/))
})

test('a blob comes from where it is asked for, or from its start when the upstream knows no ranges', async (t) => {
  const upstream = await startUpstream(t)
  const size = 1_000_000
  const all = await buffer(patternBytes(size))
  const wanted = digest(await upstream.content.pattern(image, size))
  const { client, observed } = await clientOf(t, upstream.url)
  assert.deepEqual(await client.blobHead(image, wanted), { size })

  const whole = await client.blob(image, wanted, 0)
  assert.deepEqual([whole?.offset, whole?.size], [0, size])
  assert.equal(hash('sha256', await bytesOf(whole)), hash('sha256', all))
  const rest = await client.blob(image, wanted, 999_990)
  assert.deepEqual([rest?.offset, rest?.size], [999_990, size])
  assert.deepEqual(await bytesOf(rest), all.subarray(999_990))
  assert.equal(observed.bytes, size + 10)
  assert.deepEqual(
    upstream.requests.map(({ headers }) => headers.range),
    [undefined, undefined, 'bytes=999990-'],
  )

  upstream.break('blob', withoutRanges)
  const again = await client.blob(image, wanted, 999_990)
  assert.deepEqual([again?.offset, again?.size], [0, size])
  assert.equal((await bytesOf(again)).length, size)
  assert.equal(await client.blob(image, digest(digestOfBytes('missing')), 0), undefined)
  assert.equal(await client.blobHead(image, digest(digestOfBytes('missing'))), undefined)
})

test('blobs that nobody reads on keep others waiting, and no questions; the upstream is asked for these when it is their turn', async (t) => {
  const upstream = await startUpstream(t)
  const [one, two] = await Promise.all(
    [4_000_000, 5_000_000].map(async (size) => digest(await upstream.content.pattern(image, size))),
  )
  assert.ok(one && two)
  const { client } = await clientOf(t, upstream.url, {}, { blobsAtOnce: 1 })
  const unread = await client.blob(image, one, 0)
  const waiting = client.blob(image, two, 0)
  assert.deepEqual(await client.blobHead(image, two), { size: 5_000_000 })
  assert.equal(await client.manifest(image, latest), undefined)
  assert.equal(upstream.count('GET', 'blob'), 1)
  unread?.bytes.destroy()
  assert.equal((await bytesOf(await waiting)).length, 5_000_000)
  assert.equal(await client.blob(image, digest(digestOfBytes('missing')), 0), undefined)
  assert.equal((await bytesOf(await client.blob(image, one, 0))).length, 4_000_000)
})

test('a range that is not what was asked for is refused', async (t) => {
  const upstream = await startUpstream(t)
  const wanted = digest(await upstream.content.pattern(image, 1000))
  const { client } = await clientOf(t, upstream.url)
  for (const range of [
    'bytes 0-999/1000',
    'bytes 10-998/1000',
    'bytes 10-999/2000',
    'bytes 10-5/1000',
    'pages 1-2',
    '',
  ]) {
    upstream.heal()
    upstream.break('blob', withHeaders({ 'content-range': range }))
    await assert.rejects(client.blob(image, wanted, 10), failing('wrong', /other bytes than those from 10 on/), range)
  }
  upstream.heal()
  await assert.rejects(client.blob(image, wanted, 1000), failing('wrong', /416/))
})

test('a foreign layer is fetched from its own host, without credentials', async (t) => {
  const upstream = await startUpstream(t, { login: { username: 'us', password: 'secret' } })
  process.env.CAISSON_TEST_UPSTREAM = 'secret'
  const wanted = await upstream.content.pattern(image, 1000)
  const settings = { username: 'us', password: { env: 'CAISSON_TEST_UPSTREAM' }, enableTokenAuthentication: false }
  const { client } = await clientOf(t, upstream.url, settings)
  const layer = (base: string) => new URL(`${base}/v2/${image}/blobs/${wanted}`)
  const blob = await client.foreign(layer(upstream.elsewhere.url), 990)
  assert.deepEqual([blob?.offset, (await bytesOf(blob)).length], [990, 10])
  assert.equal(await client.foreign(new URL('/v2/none', upstream.elsewhere.url), 0), undefined)
  assert.ok(upstream.elsewhere.requests.every(({ headers }) => headers.authorization === undefined))
  await assert.rejects(client.foreign(layer(upstream.url), 0), failing('refused', /without credentials/))
})

test('tags come from all pages, in byte order, each once, and without what is no tag', async (t) => {
  const upstream = await startUpstream(t, { pageSize: 2 })
  for (const tag of ['b', 'a', 'B', '1', '-no-tag', 'x'.repeat(129)]) upstream.content.push(image, tag, tinyImage('a'))
  const { client } = await clientOf(t, upstream.url)
  assert.deepEqual(await client.tags(image), ['1', 'B', 'a', 'b'])
  assert.equal(upstream.count('GET', 'tags'), 3)
  assert.equal(await client.tags(parseImageName('no/image')), undefined)
})

test('images come from all pages, and none from a registry that does not list them', async (t) => {
  const upstream = await startUpstream(t, { pageSize: 2 })
  for (const name of ['z', 'a/b', 'library/nginx', 'No-Image']) upstream.content.push(name, 'latest', tinyImage('a'))
  const { client } = await clientOf(t, upstream.url)
  assert.deepEqual(await client.images(), ['a/b', 'library/nginx', 'z'])
  for (const code of [401, 403, 404, 405]) {
    upstream.heal()
    upstream.break('catalog', (answer) => ({ ...answer, status: code }))
    assert.equal(await client.images(), undefined)
  }
})

test('referrers come by the API, in the order of their digests', async (t) => {
  const upstream = await startUpstream(t)
  const subject = tinyImage('subject')
  const told = { mediaType: ociManifest, digest: subject.digest, size: subject.manifest.length }
  const annotations = { 'org.example': 'yes' }
  const referrers = ['a', 'b', 'c'].map((name) =>
    tinyImage(name, { subject: told, artifactType: 'application/x.sbom', annotations }),
  )
  referrers.forEach((referrer, index) => upstream.content.push(image, `r${index}`, referrer))
  const { client } = await clientOf(t, upstream.url)
  const found = await client.referrers(image, digest(subject.digest))
  const sorted = [...referrers].sort((one, other) => (one.digest < other.digest ? -1 : 1))
  assert.deepEqual(
    found,
    sorted.map((referrer) => ({
      mediaType: ociManifest,
      digest: referrer.digest,
      size: referrer.manifest.length,
      artifactType: 'application/x.sbom',
      annotations,
    })),
  )
  assert.deepEqual(await client.referrers(image, digest(digestOfBytes('nothing'))), [])
})

test('without the API, referrers come from the index under their tag, without what is no descriptor', async (t) => {
  const upstream = await startUpstream(t)
  upstream.break('referrers', (answer) => ({ ...answer, status: 404 }))
  const subject = digest(digestOfBytes('subject'))
  const good = { mediaType: ociManifest, digest: digestOfBytes('a'), size: 1, artifactType: '' }
  const manifests = [
    { ...good, size: -1 },
    { ...good, digest: 'sha256:no' },
    { digest: good.digest, size: 1 },
    'no',
    good,
    good,
  ]
  const tag = subject.replace(':', '-')
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests }))
  upstream.content.manifest(image, { mediaType: 'application/vnd.oci.image.index.v1+json', bytes }, tag)
  const { client } = await clientOf(t, upstream.url)
  assert.deepEqual(await client.referrers(image, subject), [{ mediaType: ociManifest, digest: good.digest, size: 1 }])
  assert.deepEqual(await client.referrers(image, digest(digestOfBytes('other'))), [])
  upstream.break('manifest', withBody('{"schemaVersion":2,"layers":[]}'))
  assert.deepEqual(await client.referrers(image, subject), [])
})

test("Docker Hub's rate limit is told to the observer", async (t) => {
  const upstream = await startUpstream(t)
  upstream.content.push(image, 'latest', tinyImage('a'))
  upstream.break('manifest', withHeaders({ 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '76;w=21600' }))
  const { client, observed } = await clientOf(t, upstream.url)
  await client.manifestHead(image, latest)
  assert.deepEqual(observed.rates, [[100, 76]])
})

test('a registry below a path is asked there', async (t) => {
  const upstream = await startUpstream(t)
  const { client } = await clientOf(t, `${upstream.url}/artifactory/api/docker/hub/`)
  assert.equal(client.name, `${upstream.url}/artifactory/api/docker/hub`)
  await client.manifestHead(image, latest)
  assert.equal(upstream.requests[0]?.url, '/artifactory/api/docker/hub/v2/library/nginx/manifests/latest')
})

test('the other names of Docker Hub mean its registry', async (t) => {
  for (const url of [
    'https://docker.io',
    'https://index.docker.io/v1/',
    'https://hub.docker.com',
    'http://registry-1.docker.io',
  ]) {
    assert.equal((await clientOf(t, url)).client.name, 'https://registry-1.docker.io')
  }
})
