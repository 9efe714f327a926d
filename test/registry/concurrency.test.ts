import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { after, test } from 'node:test'
import { adminOf, authorityOf, startCaisson, usualConfig } from '../helpers/caisson.ts'
import { HashingSink, patternBytes } from '../helpers/pattern-bytes.ts'
import type { Answer } from '../helpers/registry-client.ts'
import { descriptor, digestOfBytes, tinyImage, type TinyImage } from '../helpers/tiny-image.ts'

/** Garbage is collected when a test asks for it, and then all of it. */
const garbageCollection = { grace: '1ms', every: '24d' }
const caisson = await startCaisson({ config: { ...(usualConfig() as object), registry: { garbageCollection } } })
after(() => caisson[Symbol.asyncDispose]())
const admin = await adminOf(caisson)
const authority = await authorityOf(caisson)

const count = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, index) => from + index)
const statuses = (answers: readonly Answer[]): readonly number[] =>
  answers.map(({ status }) => status).sort((a, b) => a - b)

function fileOf(digest: string): string {
  const hex = digest.slice('sha256:'.length)
  return join(caisson.dataDirectory, 'blobs', 'sha256', hex.slice(0, 2), hex)
}

test('a blob that 50 clients push at once is stored once, and each of their images has it', async () => {
  const bytes = Buffer.alloc(1024 * 1024, 'the same base layer')
  const digest = digestOfBytes(bytes)
  const images = count(0, 50).map((index) => `crowd/${index}`)
  await Promise.all(images.map((image) => admin.pushBlob(image, bytes)))

  const shard = join(fileOf(digest), '..')
  assert.deepEqual(await readdir(shard), [digest.slice('sha256:'.length)])
  assert.deepEqual(await readdir(join(caisson.dataDirectory, 'uploads')), [])
  const answers = await Promise.all(images.map((image) => admin.ask('GET', `${image}/blobs/${digest}`)))
  for (const { status, body } of answers) assert.ok(status === 200 && body.equals(bytes))
})

test('while eight writers move a tag every reader gets one of their manifests whole, and the last one stays', async () => {
  const config = Buffer.from('{}')
  await admin.pushBlob('moving', config)
  const versions = count(0, 8).map((writer) => count(0, 12).map((nth) => emptyImage(config, `${writer}.${nth}`)))
  const pushed = new Map(versions.flat().map(({ digest, manifest }) => [digest, manifest]))
  const put = async (image: TinyImage): Promise<void> =>
    assert.equal((await admin.putManifest('moving', 'latest', image)).status, 201)
  const first = emptyImage(config, 'first')
  await put(first)
  pushed.set(first.digest, first.manifest)

  const written = new AbortController()
  const read = async (): Promise<number> => {
    let reads = 0
    for (; !written.signal.aborted; reads++) {
      const { status, headers, body } = await admin.ask('GET', 'moving/manifests/latest')
      const digest = String(headers['docker-content-digest'])
      assert.equal(status, 200)
      assert.equal(digestOfBytes(body), digest)
      assert.ok(pushed.has(digest), `nobody has pushed ${digest}`)
      assert.equal(headers.etag, `"${digest}"`)
    }
    return reads
  }
  const readers = count(0, 8).map(read)
  try {
    await Promise.all(
      versions.map(async (ofWriter) => {
        for (const version of ofWriter) await put(version)
      }),
    )
  } finally {
    written.abort()
  }
  for (const reads of await Promise.all(readers)) assert.ok(reads > 0)
  const { headers } = await admin.ask('HEAD', 'moving/manifests/latest')
  const lastOnes = versions.map((ofWriter) => ofWriter.at(-1)?.digest)
  assert.ok(lastOnes.includes(String(headers['docker-content-digest'])))
  await put(first)
  assert.deepEqual((await admin.ask('GET', 'moving/manifests/latest')).body, first.manifest)
})

test('of two chunks for the same place one is taken; the other is told where the upload is, and can go on', async () => {
  const size = 512 * 1024
  const bodies = ['a', 'b'].map((letter) => Buffer.alloc(size, letter))
  for (const round of count(0, 10)) {
    const upload = await admin.beginUpload('contested')
    const headers = { 'content-range': `0-${size - 1}` }
    const answers = await Promise.all(bodies.map((body) => admin.ask('PATCH', upload, { headers, body })))
    assert.deepEqual(statuses(answers), [202, 416])
    const taken = bodies[answers.findIndex(({ status }) => status === 202)]
    assert.ok(taken)

    assert.equal((await admin.ask('GET', upload)).headers.range, `0-${size - 1}`)
    const last = Buffer.from(`end of ${round}`)
    const digest = digestOfBytes(Buffer.concat([taken, last]))
    assert.equal((await admin.ask('PUT', `${upload}?digest=${digest}`, { body: last })).status, 201)
    assert.deepEqual((await admin.ask('GET', `contested/blobs/${digest}`)).body, Buffer.concat([taken, last]))
  }
})

test('of two that finish one upload at once one is told 201, and the blob is what it sent', async () => {
  const bodies = ['one', 'two'].map((letter) => Buffer.alloc(256 * 1024, letter))
  const digests = bodies.map((body) => digestOfBytes(body))
  for (const round of count(0, 10)) {
    const image = `finished-${round}`
    const upload = await admin.beginUpload(image)
    const answers = await Promise.all(
      bodies.map((body, index) => admin.ask('PUT', `${upload}?digest=${digests[index]}`, { body })),
    )
    const [won, lost] = statuses(answers)
    // The other one comes while bytes are written, before that or after it: out of order, other bytes than said, or too late.
    assert.ok(won === 201 && [400, 404, 416].includes(lost ?? 0), `${won}, ${lost}`)
    for (const [index, { status }] of answers.entries()) {
      const found = await admin.ask('GET', `${image}/blobs/${digests[index]}`)
      assert.equal(found.status, status === 201 ? 200 : 404)
      if (status === 201) assert.deepEqual(found.body, bodies[index])
    }
  }
})

test('who is reading a blob gets all of it although it is deleted, collected and off the disk meanwhile', async () => {
  const size = 64 * 1024 * 1024
  const expected = new HashingSink()
  await pipeline(patternBytes(size), expected)
  const layer = `sha256:${expected.sha256()}`
  const image = tinyImage('read', { layers: [{ mediaType: 'application/octet-stream', digest: layer, size }] })
  await pushStreamed('read', layer, patternBytes(size))
  for (const config of image.blobs.slice(0, 1)) await admin.pushBlob('read', config)
  assert.equal((await admin.putManifest('read', 'v1', image)).status, 201)

  const reading = await answerTo(requestOf('GET', `/v2/read/blobs/${layer}`).end())
  const got = new HashingSink()
  const [first] = (await once(reading, 'data')) as [Buffer]
  reading.pause()
  got.write(first)

  assert.equal((await admin.ask('DELETE', `read/manifests/${image.digest}`)).status, 202)
  assert.equal((await admin.ask('DELETE', `read/blobs/${layer}`)).status, 202)
  for (let round = 0; round < 10 && existsSync(fileOf(layer)); round++)
    assert.equal((await admin.ask('POST', '/artifactory/api/system/storage/gc')).status, 200)
  assert.ok(!existsSync(fileOf(layer)))
  assert.equal((await admin.ask('GET', `read/blobs/${layer}`)).status, 404)

  await pipeline(reading, got)
  assert.equal(got.bytes, size)
  assert.equal(got.sha256(), expected.sha256())
})

function requestOf(method: string, path: string): ClientRequest {
  const auth = `admin:${caisson.adminPassword}`
  return request({
    host: '127.0.0.1',
    port: caisson.ports[1],
    servername: 'localhost',
    ca: authority,
    auth,
    method,
    path,
  })
}

async function answerTo(sent: ClientRequest): Promise<IncomingMessage> {
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  return answer
}

async function pushStreamed(image: string, digest: string, bytes: Readable): Promise<void> {
  const sent = requestOf('POST', `/v2/${image}/blobs/uploads/?digest=${digest}`)
  const [answer] = await Promise.all([answerTo(sent), pipeline(bytes, sent)])
  answer.resume()
  assert.equal(answer.statusCode, 201)
}

/** A manifest without layers, and a config that its image has already. */
function emptyImage(config: Buffer, comment: string): TinyImage {
  const described = descriptor('application/vnd.oci.empty.v1+json', config)
  return tinyImage(comment, { config: described, layers: [], annotations: { comment } })
}
