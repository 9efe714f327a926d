import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { RawConnection } from '../../helpers/raw-connection.ts'
import { locationOf } from '../../helpers/registry-client.ts'
import { localV2, startTestRegistry } from '../../helpers/registry.ts'
import { digestOfBytes, ociManifest, tinyImage } from '../../helpers/tiny-image.ts'

const registry = await startTestRegistry()
after(() => registry[Symbol.asyncDispose]())
const { admin, anonymous } = registry
const image = tinyImage('a')
await admin.push('hello', '1', image)

test('a manifest comes back byte for byte, by tag and by digest, with its type, length and digest', async () => {
  for (const reference of ['1', image.digest]) {
    const answer = await anonymous.ask('GET', `hello/manifests/${reference}`)
    assert.equal(answer.status, 200)
    assert.deepEqual(answer.body, image.manifest)
    assert.equal(answer.headers['content-type'], image.mediaType)
    assert.equal(answer.headers['docker-content-digest'], image.digest)
    assert.equal(answer.headers['content-length'], String(image.manifest.length))
    assert.equal(answer.headers.etag, `"${image.digest}"`)
  }
})

test('HEAD has the headers of GET and no body', async () => {
  const [head, get] = [
    await anonymous.ask('HEAD', 'hello/manifests/1'),
    await anonymous.ask('GET', 'hello/manifests/1'),
  ]
  assert.equal(head.status, 200)
  assert.equal(head.body.length, 0)
  for (const name of ['content-type', 'content-length', 'docker-content-digest', 'etag'] as const)
    assert.equal(head.headers[name], get.headers[name], name)
})

test('a manifest that the client has already is answered 304', async () => {
  for (const method of ['GET', 'HEAD']) {
    const headers = { 'if-none-match': `"${image.digest}"` }
    const answer = await anonymous.ask(method, 'hello/manifests/1', { headers })
    assert.equal(answer.status, 304)
    assert.equal(answer.body.length, 0)
    assert.equal(answer.headers['docker-content-digest'], image.digest)
  }
})

test('a range of a manifest is not served: the whole comes', async () => {
  const answer = await anonymous.ask('GET', 'hello/manifests/1', { headers: { range: 'bytes=0-3' } })
  assert.equal(answer.status, 200)
  assert.deepEqual(answer.body, image.manifest)
})

test('a manifest or an image that is not there is 404', async () => {
  for (const path of ['hello/manifests/2', `hello/manifests/${digestOfBytes('x')}`, 'other/manifests/1']) {
    const answer = await anonymous.ask('GET', path)
    assert.equal(answer.status, 404)
    assert.equal(answer.error(), 'MANIFEST_UNKNOWN')
  }
})

test('a reference that is neither tag nor digest is 400', async () => {
  for (const [reference, code] of [
    ['sha256:baddigeststring', 'DIGEST_INVALID'],
    ['md5:d41d8cd98f00b204e9800998ecf8427e', 'DIGEST_INVALID'],
    ['.tag', 'TAG_INVALID'],
    ['t'.repeat(129), 'TAG_INVALID'],
  ] as const)
    for (const method of ['GET', 'PUT']) {
      const answer = await admin.ask(method, `hello/manifests/${reference}`)
      assert.equal(answer.status, 400)
      assert.equal(answer.error(), code)
    }
})

test('a push answers where the manifest can be had from now on', async () => {
  const pushed = await admin.putManifest('hello', '1', image)
  assert.equal(pushed.status, 201)
  assert.equal(pushed.headers['content-length'], '0')
  assert.equal(pushed.headers['docker-content-digest'], image.digest)
  assert.equal(locationOf(pushed), `http://registry.test${localV2}/hello/manifests/${image.digest}`)
  assert.deepEqual((await anonymous.ask('GET', locationOf(pushed))).body, image.manifest)
})

test('a push by digest tags what ?tag= names and says so', async () => {
  const pushed = await admin.putManifest('hello', `${image.digest}?tag=by-digest&tag=latest&tag=latest`, image)
  assert.equal(pushed.status, 201)
  assert.equal(pushed.headers['oci-tag'], 'by-digest, latest')
  assert.equal((await anonymous.ask('HEAD', 'hello/manifests/by-digest')).status, 200)

  const refused = await admin.putManifest('hello', `${image.digest}?tag=fine&tag=-bad`, image)
  assert.equal(refused.error(), 'TAG_INVALID')
  assert.equal((await anonymous.ask('HEAD', 'hello/manifests/fine')).status, 404)
})

test('a push by digest takes a hundred long tags, told all; more are refused, and none is set', async () => {
  const tags = Array.from({ length: 101 }, (_, index) => `${index}-`.padEnd(128, 'x'))
  const queryOf = (some: readonly string[]) => some.map((tag) => `tag=${tag}`).join('&')
  const refused = await admin.putManifest('long', `${image.digest}?${queryOf(tags)}`, image)
  assert.deepEqual([refused.status, refused.error()], [414, 'TAG_INVALID'])
  assert.match(refused.body.toString(), /101 tags in one request, and 100 are allowed/)
  await admin.push('long', 'one', image)
  assert.deepEqual((await anonymous.ask('GET', 'long/tags/list')).json(), { name: 'long', tags: ['one'] })
  const hundred = tags.slice(0, 100)
  const pushed = await admin.putManifest('long', `${image.digest}?${queryOf(hundred)}`, image)
  assert.deepEqual([pushed.status, pushed.headers['oci-tag']], [201, hundred.join(', ')])
})

test('a push by digest takes ten tags and more, or none of them when one is refused with it', async () => {
  const tags = Array.from({ length: 12 }, (_, index) => `many-${index}`)
  const query = tags.map((tag) => `tag=${tag}`).join('&')
  const pushed = await admin.putManifest('hello', `${image.digest}?${query}`, image)
  assert.equal(pushed.headers['oci-tag'], tags.join(', '))
  const unknown = tinyImage('never pushed, with tags')
  assert.equal((await admin.putManifest('hello', `${unknown.digest}?${query}`, unknown)).status, 404)
  for (const tag of tags)
    assert.equal((await anonymous.ask('HEAD', `hello/manifests/${tag}`)).headers['docker-content-digest'], image.digest)
})

test('a push by digest has exactly these bytes, of either algorithm', async () => {
  const sha512 = digestOfBytes(image.manifest, 'sha512')
  assert.equal((await admin.putManifest('hello', sha512, image)).status, 201)
  assert.equal((await anonymous.ask('GET', `hello/manifests/${sha512}`)).headers['docker-content-digest'], sha512)

  const refused = await admin.putManifest('hello', digestOfBytes('other bytes'), image)
  assert.equal(refused.status, 400)
  assert.equal(refused.error(), 'DIGEST_INVALID')
})

test('a manifest that names a blob the image does not have is refused, and is not there', async () => {
  const unknown = tinyImage('never pushed')
  const refused = await admin.putManifest('hello', 'unknown', unknown)
  assert.equal(refused.status, 404)
  assert.equal(refused.error(), 'MANIFEST_BLOB_UNKNOWN')
  assert.equal((await anonymous.ask('GET', 'hello/manifests/unknown')).status, 404)
})

test('what is no manifest, or has no media type, is refused', async () => {
  for (const [headers, body] of [
    [{ 'content-type': ociManifest }, 'not json'],
    [{ 'content-type': ociManifest }, ''],
    [{ 'content-type': 'no media type' }, image.manifest],
    [{}, '{}'],
    [{}, 'not json'],
  ] as const) {
    const refused = await admin.ask('PUT', 'hello/manifests/bad', { headers, body })
    assert.equal(refused.status, 400)
    assert.equal(refused.error(), 'MANIFEST_INVALID')
  }
})

test('a manifest of another media type is kept as it came', async () => {
  const mediaType = 'application/vnd.example.thing.v1+json'
  for (const body of ['{ "thing": 1,\n"thing": 2}', '{"thing":"größer"}', Buffer.from([0xff, 0x00, 0xc3])]) {
    const headers = { 'content-type': mediaType }
    assert.equal((await admin.ask('PUT', 'hello/manifests/thing', { headers, body })).status, 201)
    const kept = await anonymous.ask('GET', 'hello/manifests/thing')
    assert.deepEqual(kept.body, Buffer.from(body))
    assert.equal(kept.headers['content-length'], String(Buffer.byteLength(body)))
    assert.equal(kept.headers['content-type'], mediaType)
  }
})

const maxBytes = 4 * 1024 * 1024

test('a manifest of 4 MiB is accepted', async () => {
  const body = Buffer.from(`{"filler":"${'x'.repeat(maxBytes - 13)}"}`)
  assert.equal(body.length, maxBytes)
  const headers = { 'content-type': 'application/vnd.example.thing.v1+json' }
  assert.equal((await admin.ask('PUT', 'hello/manifests/large', { headers, body })).status, 201)
  assert.equal((await anonymous.ask('HEAD', 'hello/manifests/large')).headers['content-length'], String(maxBytes))
})

const head = (lines: readonly string[]) =>
  [
    `PUT ${localV2}/hello/manifests/large HTTP/1.1`,
    'Host: registry.test',
    `Authorization: Basic ${Buffer.from('admin:correct horse').toString('base64')}`,
    `Content-Type: ${ociManifest}`,
    ...lines,
    '\r\n',
  ].join('\r\n')

test('a larger one is refused by its Content-Length before any of it has been read', async () => {
  await using connection = await RawConnection.open(registry.port, 'plain')
  const answer = await connection.send(head([`Content-Length: ${maxBytes + 1}`])).answer()
  assert.equal(answer.status, 413)
  assert.match(answer.body.toString(), /"code":"SIZE_INVALID"/)
})

test('a chunked one is refused when it has become too large, and the connection goes on', async () => {
  await using connection = await RawConnection.open(registry.port, 'plain')
  const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`
  connection.send(head(['Transfer-Encoding: chunked']), chunk, chunk, chunk, chunk, '1\r\nx\r\n')
  assert.equal((await connection.answer()).status, 413)
  connection.send(chunk, '0\r\n\r\n', 'GET /artifactory/api/system/ping HTTP/1.1\r\nHost: registry.test\r\n\r\n')
  assert.equal((await connection.answer()).body.toString(), 'OK')
})

test('deleting a tag leaves the manifest; deleting the manifest takes its tags along; both at once', async () => {
  await admin.push('gone', '1', image)
  await admin.putManifest('gone', '2', image)
  assert.equal((await admin.ask('DELETE', 'gone/manifests/1')).status, 202)
  assert.equal((await anonymous.ask('HEAD', 'gone/manifests/1')).status, 404)
  assert.equal((await anonymous.ask('HEAD', `gone/manifests/${image.digest}`)).status, 200)

  assert.equal((await admin.ask('DELETE', `gone/manifests/${image.digest}`)).status, 202)
  assert.equal((await anonymous.ask('HEAD', 'gone/manifests/2')).status, 404)

  const again = await admin.ask('DELETE', `gone/manifests/${image.digest}`)
  assert.equal(again.status, 404)
  assert.equal(again.error(), 'MANIFEST_UNKNOWN')
})

test('pushes and deletions are logged with who did them; no secret is', async () => {
  await admin.with({ 'x-request-id': 'request-of-the-gateway' }).putManifest('hello', 'logged', image)
  const line = registry.log.find(({ requestId }) => requestId === 'request-of-the-gateway')
  assert.equal(line?.['msg'], 'manifest pushed')
  assert.equal(line['by'], 'admin')
  assert.deepEqual(line['tags'], ['logged'])
  assert.ok(!JSON.stringify(registry.log).includes('correct horse'))
})
