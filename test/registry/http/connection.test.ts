import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { RawConnection } from '../../helpers/raw-connection.ts'
import { localV2, startTestRegistry } from '../../helpers/registry.ts'
import { digestOfBytes } from '../../helpers/tiny-image.ts'

const registry = await startTestRegistry()
after(() => registry[Symbol.asyncDispose]())
const { admin } = registry
const login = `Authorization: Basic ${Buffer.from('admin:correct horse').toString('base64')}`

function head(method: string, path: string, lines: readonly string[]): string {
  return [`${method} ${path} HTTP/1.1`, 'Host: registry.test', ...lines, '\r\n'].join('\r\n')
}

const ping = head('GET', '/artifactory/api/system/ping', [])
const post = `${localV2}/hello/blobs/uploads/?digest=${digestOfBytes('body')}`

test('a client that waits for 100 Continue is let go on when it may push', async () => {
  await using connection = await RawConnection.open(registry.port, 'plain')
  connection.send(head('POST', post, [login, 'Content-Length: 4', 'Expect: 100-continue']))
  assert.equal((await connection.answer()).status, 100)
  connection.send('body')
  assert.equal((await connection.answer()).status, 201)
})

for (const [what, method, target, lines, status] of [
  ['that has no password', 'POST', post, ['Content-Length: 4'], 401],
  ['whose upload does not exist', 'PATCH', `${localV2}/hello/blobs/uploads/none`, [login, 'Content-Length: 4'], 404],
  [
    'whose digest is none',
    'POST',
    `${localV2}/hello/blobs/uploads/?digest=sha256:abc`,
    [login, 'Content-Length: 4'],
    400,
  ],
  ['whose repository does not exist', 'POST', '/v2/nowhere/hello/blobs/uploads/', [login, 'Content-Length: 4'], 404],
] as const)
  test(`a client ${what} is refused without a 100 Continue, and may use the connection again`, async () => {
    await using connection = await RawConnection.open(registry.port, 'plain')
    connection.send(head(method, target, [...lines, 'Expect: 100-continue']))
    const answer = await connection.answer()
    assert.equal(answer.status, status)
    assert.notEqual(answer.header('connection'), 'close')
    // The request is only over when its body has come, or the client has given up on the connection.
    connection.send('body', ping)
    assert.equal((await connection.answer()).body.toString(), 'OK')
  })

test('a manifest that is too large is refused without a 100 Continue', async () => {
  await using connection = await RawConnection.open(registry.port, 'plain')
  const lines = [login, 'Content-Type: application/json', 'Content-Length: 99999999', 'Expect: 100-continue']
  connection.send(head('PUT', `${localV2}/hello/manifests/1`, lines))
  assert.equal((await connection.answer()).status, 413)
})

test('an early refusal reaches a client that is still sending, and the connection goes on', async () => {
  await using connection = await RawConnection.open(registry.port, 'plain')
  const length = 8 * 1024 * 1024
  connection.send(head('POST', post, [`Content-Length: ${length}`]), Buffer.alloc(length / 2))
  const answer = await connection.answer()
  assert.equal(answer.status, 401)
  assert.notEqual(answer.header('connection'), 'close')
  connection.send(Buffer.alloc(length / 2), ping)
  assert.equal((await connection.answer()).body.toString(), 'OK')
})

test('a chunk that turns out longer than its range is refused while it is sent, and the connection goes on', async () => {
  const upload = new URL(await admin.beginUpload('hello')).pathname
  await using connection = await RawConnection.open(registry.port, 'plain')
  connection.send(head('PATCH', upload, [login, 'Transfer-Encoding: chunked', 'Content-Range: 0-9']))
  const piece = ['10000\r\n', Buffer.alloc(64 * 1024), '\r\n']
  for (let pieces = 0; pieces < 64; pieces++) connection.send(...piece)
  const answer = await connection.answer()
  assert.equal(answer.status, 400)
  for (let pieces = 0; pieces < 512; pieces++) connection.send(...piece)
  connection.send('0\r\n\r\n', ping)
  assert.equal((await connection.answer()).body.toString(), 'OK')
})

test('an early refusal also reaches a client that wants the connection closed, as docker did until 2026', async () => {
  await using connection = await RawConnection.open(registry.port, 'plain')
  const length = 8 * 1024 * 1024
  connection.send(head('POST', post, ['Connection: close', `Content-Length: ${length}`]), Buffer.alloc(length - 1))
  assert.equal((await connection.answer()).status, 401)
  connection.send('x')
  assert.equal((await connection.rest()).length, 0)
  assert.equal(connection.error, undefined)
})

test('a client that leaves in the middle of a chunked upload leaves no error in the log', async () => {
  const upload = new URL(await admin.beginUpload('left')).pathname
  const connection = await RawConnection.open(registry.port, 'plain')
  connection.send(head('PATCH', upload, [login, 'Transfer-Encoding: chunked', 'Expect: 100-continue']))
  assert.equal((await connection.answer()).status, 100)
  connection.send('4\r\nhalf\r\n')
  connection.socket.end()
  await connection.rest()
  assert.equal((await admin.ask('GET', '')).status, 200)
  assert.deepEqual(
    registry.log.filter(({ level }) => Number(level) >= 50),
    [],
  )
})

test('a client that leaves in the middle of a download leaves no error in the log', async () => {
  const digest = await admin.pushBlob('hello', Buffer.alloc(16 * 1024 * 1024))
  const connection = await RawConnection.open(registry.port, 'plain')
  connection.send(head('GET', `${localV2}/hello/blobs/${digest}`, []))
  await connection.receive(100_000)
  await connection[Symbol.asyncDispose]()
  assert.equal((await admin.ask('GET', '')).status, 200)
  assert.deepEqual(
    registry.log.filter(({ level }) => Number(level) >= 50),
    [],
  )
})

test('headers of more than 72 KiB are refused with 431', async () => {
  await using connection = await RawConnection.open(registry.port, 'plain')
  connection.send(head('GET', '/v2/', [`X-Large: ${'x'.repeat(73 * 1024)}`]))
  assert.equal((await connection.answer()).status, 431)
})

for (const lines of [[], ['Expect: 100-continue']])
  test(`a stop does not wait for a body that was refused and never comes ${lines.join()}`, async () => {
    await using stopping = await startTestRegistry()
    await using connection = await RawConnection.open(stopping.port, 'plain')
    connection.send(head('POST', post, ['Content-Length: 4', ...lines]))
    assert.equal((await connection.answer()).status, 401)
    await stopping.running.stop()
    assert.equal((await connection.rest()).length, 0)
  })

test('a stop lets a running upload finish, and takes nothing new', async () => {
  await using stopping = await startTestRegistry()
  const upload = new URL(await stopping.admin.beginUpload('hello')).pathname
  await using connection = await RawConnection.open(stopping.port, 'plain')
  await using idle = await RawConnection.open(stopping.port, 'plain')
  connection.send(head('PATCH', upload, [login, 'Content-Length: 8', 'Expect: 100-continue']))
  assert.equal((await connection.answer()).status, 100)
  connection.send('half')

  const stopped = stopping.running.stop()
  assert.equal((await idle.rest()).length, 0)
  await assert.rejects(RawConnection.open(stopping.port, 'plain'), { code: 'ECONNREFUSED' })
  connection.send('half')
  assert.equal((await connection.answer()).status, 202)
  await stopped
})
