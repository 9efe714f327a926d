import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ask, type Question } from '../helpers/https-client.ts'
import { descriptorsFallTo } from '../helpers/open-descriptors.ts'
import { RawConnection } from '../helpers/raw-connection.ts'
import { certificate, runGateway, type RunningGateway } from '../helpers/running-gateway.ts'

const etag = '"sha256:abc"'
const bytes = Buffer.from('0123456789')

/** Answers as our registry does: the file named by the query, to those who can send it. */
const registry: RequestListener = (request, response) => {
  const file = new URL(request.url ?? '', 'http://x').searchParams.get('q') ?? ''
  const common = { 'Content-Type': 'application/octet-stream', 'Docker-Content-Digest': 'sha256:abc', ETag: etag }
  if (request.method === 'HEAD') response.writeHead(200, { ...common, 'Content-Length': 10 }).end()
  else if (request.headers['x-sendfile-type'] !== 'X-Sendfile') response.writeHead(200, common).end(bytes)
  else response.writeHead(200, { ...common, 'X-Sendfile': file, 'Content-Length': 0 }).end()
}

async function withBlob(): Promise<RunningGateway & { readonly blob: string }> {
  const running = await runGateway({ upstream: registry })
  const blob = join(running.files, 'blob')
  await writeFile(blob, bytes)
  return { ...running, blob }
}

async function get({ port }: RunningGateway, file: string, question: Question = {}) {
  return await ask(certificate.cert, `https://localhost:${port}/v2/x/blobs/y?q=${encodeURIComponent(file)}`, question)
}

test('a file that the upstream names is sent with the headers of the upstream and without the name', async () => {
  await using running = await withBlob()
  const { status, headers, body } = await get(running, running.blob)
  assert.equal(status, 200)
  assert.deepEqual(body, bytes)
  const { date, 'x-request-id': id, ...others } = headers
  assert.ok(date && id)
  assert.deepEqual(others, {
    'content-type': 'application/octet-stream',
    'docker-content-digest': 'sha256:abc',
    etag,
    'accept-ranges': 'bytes',
    'content-length': '10',
    connection: 'keep-alive',
    'keep-alive': 'timeout=75',
  })
})

const selections: readonly (readonly [Readonly<Record<string, string>>, number, string, string?])[] = [
  [{ Range: 'bytes=2-4' }, 206, '234', 'bytes 2-4/10'],
  [{ Range: 'bytes=7-' }, 206, '789', 'bytes 7-9/10'],
  [{ Range: 'bytes=-2' }, 206, '89', 'bytes 8-9/10'],
  [{ Range: 'bytes=0-99' }, 206, '0123456789', 'bytes 0-9/10'],
  [{ Range: 'bytes=0-0,5-5' }, 200, '0123456789'],
  [{ Range: 'lines=1-2' }, 200, '0123456789'],
  [{ Range: 'bytes=2-4', 'If-Range': etag }, 206, '234', 'bytes 2-4/10'],
  [{ Range: 'bytes=2-4', 'If-Range': '"other"' }, 200, '0123456789'],
  [{ Range: 'bytes=2-4', 'If-Range': 'Mon, 23 Nov 2026 10:00:00 GMT' }, 200, '0123456789'],
  [{ 'If-None-Match': etag }, 304, ''],
  [{ 'If-None-Match': `"x", W/${etag}`, Range: 'bytes=2-4' }, 304, ''],
  [{ 'If-None-Match': '"other"' }, 200, '0123456789'],
  [{ 'If-Match': etag }, 200, '0123456789'],
]

for (const [headers, status, body, contentRange] of selections) {
  test(`${JSON.stringify(headers)} is answered with ${status} ${contentRange ?? ''}`, async () => {
    await using running = await withBlob()
    const answer = await get(running, running.blob, { headers })
    assert.equal(answer.status, status)
    assert.equal(answer.text(), body)
    assert.equal(answer.headers['content-range'], contentRange)
    assert.equal(answer.headers.etag, etag)
  })
}

test('a range beyond the end is refused with 416, the size and an error in JSON', async () => {
  await using running = await withBlob()
  const refused = await get(running, running.blob, { headers: { Range: 'bytes=10-' } })
  assert.equal(refused.status, 416)
  assert.equal(refused.headers['content-range'], 'bytes */10')
  assert.match(refused.text(), /"code":"RANGE_INVALID"/)
})

test('If-Match that names another entity is refused with 412', async () => {
  await using running = await withBlob()
  assert.equal((await get(running, running.blob, { headers: { 'If-Match': '"other"' } })).status, 412)
})

test('HEAD is the upstream’s to answer', async () => {
  await using running = await withBlob()
  const { status, headers, body } = await get(running, running.blob, { method: 'HEAD' })
  assert.equal(status, 200)
  assert.equal(headers['content-length'], '10')
  assert.equal(body.length, 0)
})

test('an empty file is sent, and a range of it refused', async () => {
  await using running = await withBlob()
  await writeFile(running.blob, '')
  const whole = await get(running, running.blob)
  assert.deepEqual([whole.status, whole.headers['content-length']], [200, '0'])
  assert.equal((await get(running, running.blob, { headers: { Range: 'bytes=0-0' } })).status, 416)
})

test('a file of many buffers comes whole, and so do 16 of its ranges at once', async () => {
  await using running = await withBlob()
  const large = Buffer.alloc(5 * 1024 * 1024 + 3)
  for (let index = 0; index < large.length; index++) large[index] = (index * 31 + (index >> 8)) & 255
  await writeFile(running.blob, large)
  const whole = await get(running, running.blob)
  assert.equal(sha256(whole.body), sha256(large))
  const ranges = Array.from({ length: 16 }, (_, index) => [index * 100_000 + 7, index * 100_000 + 1_500_000] as const)
  await Promise.all(
    ranges.map(async ([first, last]) => {
      const { status, body } = await get(running, running.blob, { headers: { Range: `bytes=${first}-${last}` } })
      assert.equal(status, 206)
      assert.equal(sha256(body), sha256(large.subarray(first, last + 1)))
    }),
  )
})

test('nothing outside of the root is sent: not by path, not by dot segments, not by symbolic links, no directory', async () => {
  await using running = await withBlob()
  const outside = await mkdtemp(join(tmpdir(), 'caisson-outside-'))
  await writeFile(join(outside, 'secret'), 'secret')
  await symlink(join(outside, 'secret'), join(running.files, 'file-link'))
  await symlink(outside, join(running.files, 'directory-link'))
  const places = [
    join(outside, 'secret'),
    `${running.files}/../${outside.split('/').pop()}/secret`,
    join(running.files, 'file-link'),
    join(running.files, 'directory-link', 'secret'),
    `${running.files}-sibling`,
    `${running.files}/..`,
    running.files,
  ]
  await writeFile(`${running.files}-sibling`, 'secret')
  for (const place of places) {
    const refused = await get(running, place)
    assert.equal(refused.status, 502, place)
    assert.doesNotMatch(refused.text(), /secret/)
  }
  await rm(outside, { recursive: true })
  await rm(`${running.files}-sibling`)
})

test('a file that is gone is a blob that is unknown', async () => {
  await using running = await withBlob()
  const refused = await get(running, join(running.files, 'missing'))
  assert.equal(refused.status, 404)
  assert.match(refused.text(), /"code":"BLOB_UNKNOWN"/)
})

test('without a root the offer is not made and the bytes come from the upstream', async () => {
  await using running = await runGateway({ upstream: registry, sendsFiles: false })
  assert.deepEqual((await get(running, '/etc/hostname')).body, bytes)
})

test('clients that leave in the middle leave no file open', async () => {
  await using running = await withBlob()
  await writeFile(running.blob, Buffer.alloc(32 * 1024 * 1024))
  for (let count = 0; count < 8; count++) {
    await using client = await RawConnection.open(running.port)
    client.send(`GET /v2/x/blobs/y?q=${running.blob} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    await client.receive(100_000)
  }
  await descriptorsFallTo(0, (name) => name === running.blob)
})

test('a file that is shorter than it was breaks the answer off', async () => {
  await using running = await withBlob()
  await writeFile(running.blob, Buffer.alloc(64 * 1024 * 1024))
  await using client = await RawConnection.open(running.port)
  client.send(`GET /v2/x/blobs/y?q=${running.blob} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  await client.receive(1000)
  client.socket.pause()
  await writeFile(running.blob, '')
  client.socket.resume()
  assert.equal((await client.answer()).complete, false)
})

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}
