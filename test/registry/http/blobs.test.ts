import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, test } from 'node:test'
import { startTestRegistry } from '../../helpers/registry.ts'
import { digestOfBytes, tinyImage } from '../../helpers/tiny-image.ts'

const registry = await startTestRegistry()
after(() => registry[Symbol.asyncDispose]())
const { admin, anonymous, port } = registry
const bytes = Buffer.from(Array.from({ length: 4000 }, (_, index) => index % 251))
const digest = await admin.pushBlob('hello', bytes)
const blob = `hello/blobs/${digest}`

test('a blob comes back with its length, digest and entity tag', async () => {
  const answer = await anonymous.ask('GET', blob)
  assert.equal(answer.status, 200)
  assert.deepEqual(answer.body, bytes)
  assert.equal(answer.headers['content-type'], 'application/octet-stream')
  assert.equal(answer.headers['content-length'], String(bytes.length))
  assert.equal(answer.headers['docker-content-digest'], digest)
  assert.equal(answer.headers.etag, `"${digest}"`)
  assert.equal(answer.headers['accept-ranges'], 'bytes')
})

test('HEAD tells the same without the bytes', async () => {
  const answer = await anonymous.ask('HEAD', blob)
  assert.equal(answer.status, 200)
  assert.equal(answer.body.length, 0)
  assert.equal(answer.headers['content-length'], String(bytes.length))
  assert.equal(answer.headers['docker-content-digest'], digest)
})

for (const [range, first, last] of [
  ['bytes=500-1499', 500, 1499],
  ['bytes=500-', 500, 3999],
  ['bytes=-500', 3500, 3999],
  ['bytes=2000-5000', 2000, 3999],
] as const)
  test(`the range ${range} is served alone`, async () => {
    const answer = await anonymous.ask('GET', blob, { headers: { range } })
    assert.equal(answer.status, 206)
    assert.deepEqual(answer.body, bytes.subarray(first, last + 1))
    assert.equal(answer.headers['content-length'], String(last - first + 1))
    assert.equal(answer.headers['content-range'], `bytes ${first}-${last}/4000`)
  })

for (const range of ['bytes=500-0', 'bytes=5000-10000'])
  test(`the range ${range} cannot be served: 416 with the size`, async () => {
    const answer = await anonymous.ask('GET', blob, { headers: { range } })
    assert.equal(answer.status, 416)
    assert.equal(answer.headers['content-range'], 'bytes */4000')
    assert.equal(answer.error(), 'RANGE_INVALID')
  })

test('conditions are honoured: 304, 412, and If-Range', async () => {
  const status = async (headers: Record<string, string>) => (await anonymous.ask('GET', blob, { headers })).status
  assert.equal(await status({ 'if-none-match': `"${digest}"` }), 304)
  assert.equal(await status({ 'if-match': '"other"' }), 412)
  assert.equal(await status({ range: 'bytes=0-1', 'if-range': `"${digest}"` }), 206)
  assert.equal(await status({ range: 'bytes=0-1', 'if-range': '"other"' }), 200)
})

test('a blob that the client has already is answered 304, to HEAD too', async () => {
  for (const method of ['GET', 'HEAD']) {
    const headers = { 'if-none-match': `W/"other", "${digest}"` }
    const answer = await anonymous.ask(method, blob, { headers })
    assert.equal(answer.status, 304)
    assert.equal(answer.headers.etag, `"${digest}"`)
    assert.equal(answer.body.length, 0)
  }
})

test('an empty blob is a blob', async () => {
  const empty = await admin.pushBlob('hello', Buffer.alloc(0))
  const answer = await anonymous.ask('GET', `hello/blobs/${empty}`)
  assert.equal(answer.status, 200)
  assert.equal(answer.headers['content-length'], '0')
})

test('a blob is there only in the image that it was pushed to, whoever asks', async () => {
  for (const client of [anonymous, admin])
    for (const method of ['GET', 'HEAD']) {
      const answer = await client.ask(method, `other/blobs/${digest}`)
      assert.equal(answer.status, 404)
      if (method === 'GET') assert.equal(answer.error(), 'BLOB_UNKNOWN')
    }
})

test('a digest that is none, or of another algorithm, is 400', async () => {
  for (const bad of ['sha256:abc', 'sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709', `SHA256:${'0'.repeat(64)}`]) {
    const answer = await anonymous.ask('GET', `hello/blobs/${bad}`)
    assert.equal(answer.status, 400)
    assert.equal(answer.error(), 'DIGEST_INVALID')
  }
})

test('a deleted blob is gone at once; deleting it again is 404', async () => {
  const gone = await admin.pushBlob('hello', Buffer.from('to be deleted'))
  assert.equal((await admin.ask('DELETE', `hello/blobs/${gone}`)).status, 202)
  assert.equal((await anonymous.ask('HEAD', `hello/blobs/${gone}`)).status, 404)
  assert.equal((await admin.ask('DELETE', `hello/blobs/${gone}`)).error(), 'BLOB_UNKNOWN')
})

test('a blob that a manifest names is not deleted', async () => {
  const image = tinyImage('in use')
  await admin.push('used', '1', image)
  const answer = await admin.ask('DELETE', `used/blobs/${digestOfBytes(image.blobs[1] ?? '')}`)
  assert.equal(answer.status, 403)
  assert.equal(answer.error(), 'DENIED')
})

const offer = { 'x-sendfile-type': 'X-Sendfile' }

test('on the unix socket the peer is given the file instead of the bytes', async () => {
  const answer = await anonymous.ask('GET', blob, { headers: { ...offer, range: 'bytes=0-1' } })
  assert.equal(answer.status, 200)
  assert.equal(answer.body.length, 0)
  assert.equal(answer.headers['content-length'], '0')
  assert.equal(answer.headers['content-type'], 'application/octet-stream')
  assert.equal(answer.headers['docker-content-digest'], digest)
  assert.equal(answer.headers.etag, `"${digest}"`)
  assert.deepEqual(await readFile(String(answer.headers['x-sendfile'])), bytes)
})

test('HEAD is answered in full although the peer offers to send files', async () => {
  const answer = await anonymous.ask('HEAD', blob, { headers: offer })
  assert.equal(answer.headers['x-sendfile'], undefined)
  assert.equal(answer.headers['content-length'], String(bytes.length))
})

test('over TCP nobody is told where files are, not even a trusted proxy', async () => {
  const overTcp = anonymous.over({ host: '127.0.0.1', port })
  const answer = await overTcp.ask('GET', blob, { headers: offer })
  assert.equal(answer.headers['x-sendfile'], undefined)
  assert.deepEqual(answer.body, bytes)
})

const accel = (directory: string) => ({
  'x-sendfile-type': 'X-Accel-Redirect',
  'x-accel-mapping': `${directory}/=/protected/`,
})

test('a trusted nginx is given a location by its own mapping', async () => {
  const overTcp = anonymous.over({ host: '127.0.0.1', port })
  const answer = await overTcp.ask('GET', blob, { headers: accel(`${registry.dataDirectory}/blobs`) })
  assert.equal(answer.body.length, 0)
  const hex = digest.slice('sha256:'.length)
  assert.equal(answer.headers['x-accel-redirect'], `/protected/sha256/${hex.slice(0, 2)}/${hex}`)
})

test('a mapping that does not hold the file, or is none, has the registry send the bytes', async () => {
  const overTcp = anonymous.over({ host: '127.0.0.1', port })
  for (const headers of [
    accel('/elsewhere'),
    { 'x-sendfile-type': 'X-Accel-Redirect' },
    { 'x-sendfile-type': 'X-Accel-Redirect', 'x-accel-mapping': 'nonsense' },
  ]) {
    const answer = await overTcp.ask('GET', blob, { headers })
    assert.equal(answer.headers['x-accel-redirect'], undefined)
    assert.deepEqual(answer.body, bytes)
  }
})

test('a peer that is not trusted gets bytes, whatever it offers', async () => {
  await using closed = await startTestRegistry({ trustedProxies: [] })
  const pushed = await closed.admin.pushBlob('hello', bytes)
  const stranger = closed.anonymous.over({ host: '127.0.0.1', port: closed.port })
  for (const headers of [offer, accel(`${closed.dataDirectory}/blobs`)]) {
    const answer = await stranger.ask('GET', `hello/blobs/${pushed}`, { headers })
    assert.deepEqual(answer.body, bytes)
    assert.equal(answer.headers['x-accel-redirect'] ?? answer.headers['x-sendfile'], undefined)
  }
})
