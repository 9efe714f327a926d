import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { after, test } from 'node:test'
import { locationOf, type Answer } from '../../helpers/registry-client.ts'
import { RawConnection } from '../../helpers/raw-connection.ts'
import { localV2, startTestRegistry } from '../../helpers/registry.ts'
import { noTinyFilesystem, tinyFilesystem } from '../../helpers/tiny-filesystem.ts'
import { digestOfBytes } from '../../helpers/tiny-image.ts'

const registry = await startTestRegistry()
after(() => registry[Symbol.asyncDispose]())
const { admin, anonymous } = registry

async function patch(upload: string, body: string, range?: string): Promise<Answer> {
  return await admin.ask('PATCH', upload, {
    body,
    ...(range === undefined ? {} : { headers: { 'content-range': range } }),
  })
}

async function isPushed(image: string, bytes: string | Uint8Array): Promise<boolean> {
  const answer = await anonymous.ask('GET', `${image}/blobs/${digestOfBytes(bytes)}`)
  return answer.status === 200 && answer.body.equals(Buffer.from(bytes))
}

test('an upload begins with where to send the bytes', async () => {
  const begun = await admin.ask('POST', 'begin/blobs/uploads/')
  assert.equal(begun.status, 202)
  const id = String(begun.headers['docker-upload-uuid'])
  assert.equal(locationOf(begun), `http://registry.test${localV2}/begin/blobs/uploads/${id}`)
  assert.equal(begun.headers.range, '0-0')
  assert.equal(begun.headers['content-length'], '0')
})

test('one stream and an empty PUT, as docker pushes', async () => {
  const upload = await admin.beginUpload('docker')
  const patched = await admin.ask('PATCH', upload, { headers: { 'transfer-encoding': 'chunked' } })
  assert.equal(patched.status, 202)
  assert.equal((await patch(locationOf(patched), 'streamed')).headers.range, '0-7')

  const put = await admin.ask('PUT', `${upload}?digest=${digestOfBytes('streamed')}`)
  assert.equal(put.status, 201)
  assert.equal(put.headers['docker-content-digest'], digestOfBytes('streamed'))
  assert.equal(put.headers['content-length'], '0')
  assert.equal((await anonymous.ask('GET', locationOf(put))).body.toString(), 'streamed')
})

test('chunks in order, the last one with the PUT', async () => {
  const upload = await admin.beginUpload('chunks')
  assert.equal((await patch(upload, 'first ', '0-5')).headers.range, '0-5')
  assert.equal((await patch(upload, 'second ', 'bytes 6-12/*')).headers.range, '0-12')
  const digest = digestOfBytes('first second third')
  const put = await admin.ask('PUT', `${upload}?digest=${digest}`, {
    body: 'third',
    headers: { 'content-range': '13-17' },
  })
  assert.equal(put.status, 201)
  assert.ok(await isPushed('chunks', 'first second third'))
})

test('a chunk out of order is refused with 416 that tells where to go on, by PATCH and by PUT', async () => {
  const upload = await admin.beginUpload('order')
  await patch(upload, 'first ', '0-5')
  const digest = digestOfBytes('first second')
  for (const refused of [
    await patch(upload, 'second', '7-12'),
    await patch(upload, 'first ', '0-5'),
    await admin.ask('PUT', `${upload}?digest=${digest}`, { body: 'second', headers: { 'content-range': '7-12' } }),
  ]) {
    assert.equal(refused.status, 416)
    assert.equal(refused.error(), 'BLOB_UPLOAD_INVALID')
    assert.equal(refused.headers.range, '0-5')
    assert.equal(locationOf(refused), upload)
    assert.ok(refused.headers['docker-upload-uuid'])
  }
  const status = await admin.ask('GET', upload)
  assert.equal(status.status, 204)
  assert.equal(status.headers.range, '0-5')
  assert.equal(locationOf(status), upload)

  await patch(upload, 'second', '6-11')
  assert.equal((await admin.ask('PUT', `${upload}?digest=${digest}`)).status, 201)
})

test('a Content-Range that is none, or is not as long as the body, stores nothing', async () => {
  const upload = await admin.beginUpload('ranges')
  for (const [range, code] of [
    ['5-0', 'UNSUPPORTED'],
    ['first', 'UNSUPPORTED'],
    ['0-9', 'SIZE_INVALID'],
    ['0-2', 'SIZE_INVALID'],
  ] as const) {
    const refused = await patch(upload, 'chunk', range)
    assert.equal(refused.status, 400)
    assert.equal(refused.error(), code)
  }
  assert.equal((await admin.ask('GET', upload)).headers.range, '0-0')
})

test('a chunked body that is not as long as its Content-Range is refused', async () => {
  for (const [range, sent] of [
    ['0-9', 'short'],
    ['0-2', 'too long'],
  ] as const) {
    const upload = await admin.beginUpload('ranges')
    await using connection = await RawConnection.open(registry.port, 'plain')
    connection.send(patchHead(upload, [`Content-Range: ${range}`, 'Transfer-Encoding: chunked']))
    connection.send(`${sent.length.toString(16)}\r\n${sent}\r\n0\r\n\r\n`)
    const answer = await connection.answer()
    assert.equal(answer.status, 400)
    assert.match(answer.body.toString(), /"SIZE_INVALID"/)
  }
})

function patchHead(upload: string, lines: readonly string[]): string {
  const login = `Authorization: Basic ${Buffer.from('admin:correct horse').toString('base64')}`
  return [`PATCH ${new URL(upload).pathname} HTTP/1.1`, 'Host: registry.test', login, ...lines, '\r\n'].join('\r\n')
}

test('a body that breaks off is not acknowledged; the upload goes on from what came', async () => {
  const upload = await admin.beginUpload('broken')
  await using connection = await RawConnection.open(registry.port, 'plain')
  connection.send(patchHead(upload, ['Content-Length: 100', 'Expect: 100-continue']))
  assert.equal((await connection.answer()).status, 100)
  connection.send('half')
  await admin.ask('GET', upload) // an end might overtake what came before it
  connection.socket.end()

  // Whether the registry has seen the end of the connection yet shows in what it says the upload has.
  let received: string | undefined
  do received = (await admin.ask('GET', upload)).headers.range
  while (received === '0-0')
  assert.equal(received, '0-3')
  assert.equal((await patch(upload, ' and half', '4-12')).status, 202)
  assert.equal((await admin.ask('PUT', `${upload}?digest=${digestOfBytes('half and half')}`)).status, 201)
  assert.ok(!registry.log.some(({ msg }) => msg === 'request failed'))
})

test('a wrong digest is refused; the upload can still be finished with the right one, or cancelled', async () => {
  const upload = await admin.beginUpload('wrong')
  await patch(upload, 'bytes')
  const refused = await admin.ask('PUT', `${upload}?digest=${digestOfBytes('other bytes')}`)
  assert.equal(refused.status, 400)
  assert.equal(refused.error(), 'DIGEST_INVALID')
  assert.equal((await admin.ask('PUT', `${upload}?digest=${digestOfBytes('bytes')}`)).status, 201)

  const other = await admin.beginUpload('wrong')
  const kept = await admin.ask('PUT', `${other}?digest=${digestOfBytes('other bytes')}`, { body: 'bytes' })
  assert.equal(kept.headers.range, '0-4')
  assert.equal((await admin.ask('DELETE', other)).status, 204)
})

test('a finish without a digest, or with one that is none, is refused', async () => {
  const upload = await admin.beginUpload('wrong')
  for (const query of ['', '?digest=', '?digest=sha256:abc', '?digest=md5:abc']) {
    const refused = await admin.ask('PUT', `${upload}${query}`)
    assert.equal(refused.status, 400, query)
    assert.equal(refused.error(), 'DIGEST_INVALID')
  }
  await admin.ask('DELETE', upload)
})

test('a cancelled upload is gone, from the disk too', async () => {
  const before = await registry.uploads()
  const upload = await admin.beginUpload('cancelled')
  await patch(upload, 'bytes')
  assert.equal((await registry.uploads()).length, before.length + 1)
  assert.equal((await admin.ask('DELETE', upload)).status, 204)
  assert.deepEqual(await registry.uploads(), before)
  for (const method of ['GET', 'DELETE', 'PATCH', 'PUT']) {
    const answer = await admin.ask(method, `${upload}?digest=${digestOfBytes('bytes')}`)
    assert.equal(answer.status, 404)
    assert.equal(answer.error() ?? 'BLOB_UPLOAD_UNKNOWN', 'BLOB_UPLOAD_UNKNOWN')
  }
})

test('an upload belongs to the image that it was begun for', async () => {
  const upload = await admin.beginUpload('mine')
  const elsewhere = upload.replace('/mine/', '/yours/')
  for (const method of ['GET', 'DELETE', 'PATCH', 'PUT'])
    assert.equal((await admin.ask(method, `${elsewhere}?digest=${digestOfBytes('')}`)).status, 404)
  assert.equal((await admin.ask('GET', 'mine/blobs/uploads/..hidden')).status, 404)
  assert.equal((await admin.ask('DELETE', upload)).status, 204)
})

for (const algorithm of ['sha256', 'sha512'] as const)
  test(`a blob in one POST, named by ${algorithm}`, async () => {
    const digest = digestOfBytes('at once', algorithm)
    const pushed = await admin.ask('POST', `once/blobs/uploads/?digest=${digest}`, { body: 'at once' })
    assert.equal(pushed.status, 201)
    assert.equal(pushed.headers['docker-content-digest'], digest)
    assert.equal((await anonymous.ask('GET', locationOf(pushed))).body.toString(), 'at once')
  })

test('a POST whose bytes have another digest leaves nothing behind', async () => {
  const [uploads, blobs] = [await registry.uploads(), await registry.blobs()]
  const digest = digestOfBytes('other bytes')
  const refused = await admin.ask('POST', `once/blobs/uploads/?digest=${digest}`, { body: 'bytes' })
  assert.equal(refused.status, 400)
  assert.equal(refused.error(), 'DIGEST_INVALID')
  assert.deepEqual(await registry.uploads(), uploads)
  assert.deepEqual(await registry.blobs(), blobs)
})

test('the algorithm may be announced; one that is not supported is refused', async () => {
  const begun = await admin.ask('POST', 'announced/blobs/uploads/?digest-algorithm=sha512')
  assert.equal(begun.status, 202)
  const digest = digestOfBytes('announced', 'sha512')
  const put = await admin.ask('PUT', `${locationOf(begun)}?digest=${digest}`, { body: 'announced' })
  assert.equal(put.status, 201)

  const refused = await admin.ask('POST', 'announced/blobs/uploads/?digest-algorithm=md5')
  assert.equal(refused.status, 400)
  assert.equal(refused.error(), 'DIGEST_INVALID')
})

test('an upload goes on after a restart of the registry', async () => {
  const upload = await admin.beginUpload('restart')
  await patch(upload, 'before ', '0-6')
  await registry.restart()
  assert.equal((await admin.ask('GET', upload)).headers.range, '0-6')
  await patch(upload, 'and after', '7-15')
  const digest = digestOfBytes('before and after')
  assert.equal((await admin.ask('PUT', `${upload}?digest=${digest}`)).status, 201)
  assert.ok(await isPushed('restart', 'before and after'))
})

test('two pushes of the same blob at the same time both succeed', async () => {
  const bytes = Buffer.alloc(300_000, 'x')
  const digest = digestOfBytes(bytes)
  const uploads = await Promise.all(['one', 'one', 'two'].map((image) => admin.beginUpload(image)))
  const puts = await Promise.all(
    uploads.map((upload) => admin.ask('PUT', `${upload}?digest=${digest}`, { body: bytes })),
  )
  assert.deepEqual(
    puts.map(({ status }) => status),
    [201, 201, 201],
  )
  assert.ok((await isPushed('one', bytes)) && (await isPushed('two', bytes)))
})

test(
  'a full disk fails the upload with 507, gives the space back, and leaves what was there',
  { skip: noTinyFilesystem },
  async () => {
    await using disk = await tinyFilesystem(2)
    await using small = await startTestRegistry({
      storage: { filesystem: `${disk.path}/blobs` },
      limits: { freeSpace: '0B' },
    })
    const kept = await small.admin.pushBlob('hello', Buffer.from('fits'))
    const large = Buffer.alloc(4 * 1024 * 1024)
    const full = await small.admin.ask('POST', `hello/blobs/uploads/?digest=${digestOfBytes(large)}`, { body: large })
    assert.equal(full.status, 507)
    assert.equal(full.error(), 'UNAVAILABLE')
    assert.deepEqual(await readdir(`${disk.path}/uploads`), [])

    const upload = await small.admin.beginUpload('hello')
    assert.equal((await small.admin.ask('PATCH', upload, { body: large })).status, 507)
    assert.equal((await small.admin.ask('DELETE', upload)).status, 204)
    await small.admin.pushBlob('hello', Buffer.alloc(1024 * 1024))
    assert.equal((await small.anonymous.ask('GET', `hello/blobs/${kept}`)).body.toString(), 'fits')
  },
)

test('two chunks at the same time: one is taken, the other one is told 416', async () => {
  const upload = await admin.beginUpload('both')
  await using first = await RawConnection.open(registry.port, 'plain')
  first.send(patchHead(upload, ['Content-Length: 5', 'Expect: 100-continue']))
  assert.equal((await first.answer()).status, 100)
  first.send('fir')
  // The one that waits for the rest of its body holds the upload as soon as it has been let go on.
  const second = await patch(upload, 'second')
  assert.equal(second.status, 416)
  first.send('st')
  assert.equal((await first.answer()).status, 202)
  assert.equal((await admin.ask('GET', upload)).headers.range, '0-4')
})
