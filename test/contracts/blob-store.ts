import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { digestOf, type Digest, type DigestAlgorithm } from '../../registry/domain/digest.ts'
import { isUploadId, type UploadId } from '../../registry/domain/upload-id.ts'
import type { BlobStore, UploadReader } from '../../registry/storage/blob-store.ts'
import type { ByteRange } from '../../wire/byte-range.ts'

export interface BlobStoreFixture extends AsyncDisposable {
  /** A store on the same data, as a restart would open it. */
  open(): Promise<BlobStore>
  /** Whatever is kept or held open; empty when neither blobs nor uploads are there. */
  leftovers(): Promise<readonly string[]>
}

/** What every blob store does. */
export function blobStoreContract(setUp: () => Promise<BlobStoreFixture>): void {
  const contract = (name: string, body: (store: BlobStore, fixture: BlobStoreFixture) => Promise<void>): void => {
    test(name, async () => {
      await using fixture = await setUp()
      await using store = await fixture.open()
      await body(store, fixture)
      await removeAll(store)
      assert.deepEqual(await fixture.leftovers(), [])
    })
  }

  contract('a committed upload is a blob', async (store) => {
    const id = await store.begin('sha256')
    assert.equal(await store.append(id, 0, streamOf('hello ')), 6)
    assert.equal(await store.append(id, 6, streamOf('world')), 11)
    assert.deepEqual(await commit(store, id, sha256('hello world')), { size: 11 })

    assert.deepEqual(await store.stat(sha256('hello world')), { size: 11 })
    assert.equal(await read(store, sha256('hello world')), 'hello world')
    assert.deepEqual(await allOf(store.listBlobs()), [sha256('hello world')])
    assert.equal(await store.size(id), undefined)
  })

  contract('an upload is no blob before it is committed', async (store) => {
    const id = await upload(store, 'hello')
    assert.equal(await store.size(id), 5)
    assert.equal(await store.stat(sha256('hello')), undefined)
    assert.deepEqual(await allOf(store.listBlobs()), [])
  })

  contract("what has been verified is nobody else's to use until it is disposed of", async (store) => {
    const id = await upload(store, 'hello')
    {
      assert.equal(await store.digest(id), sha256('hello'))
      using verified = await store.verify(id, sha256('hello'))
      assert.equal(verified.size, 5)
      const inUse = { code: 'BLOB_UPLOAD_INVALID' }
      await assert.rejects(store.append(id, 5, streamOf('more')), inUse)
      await assert.rejects(store.digest(id), inUse)
      await assert.rejects(store.verify(id, sha256('hello')), inUse)
      await assert.rejects(store.discard(id), inUse)
      assert.equal(await store.stat(sha256('hello')), undefined)
    }
    assert.equal(await store.append(id, 5, streamOf(' world')), 11)
    {
      using verified = await store.verify(id, sha256('hello world'))
      await verified.place()
      await assert.rejects(store.discard(id), { code: 'BLOB_UPLOAD_INVALID' })
    }
    assert.equal(await store.discard(id), false)
    assert.equal(await read(store, sha256('hello world')), 'hello world')
  })

  contract('a blob that is not there is undefined, unopenable and undeletable', async (store) => {
    assert.equal(await store.stat(sha256('nothing')), undefined)
    await assert.rejects(store.open(sha256('nothing'), undefined), { code: 'BLOB_UNKNOWN' })
    assert.equal(await store.delete([sha256('nothing')]), 0)
  })

  contract('a deleted blob is gone', async (store) => {
    await keep(store, 'hello')
    assert.equal(await store.delete([sha256('nothing'), sha256('hello')]), 1)
    assert.equal(await store.stat(sha256('hello')), undefined)
    assert.equal(await store.delete([sha256('hello')]), 0)
  })

  contract('any part of a blob can be read', async (store) => {
    await keep(store, 'hello')
    assert.equal(await read(store, sha256('hello'), { first: 0, last: 4 }), 'hello')
    assert.equal(await read(store, sha256('hello'), { first: 0, last: 0 }), 'h')
    assert.equal(await read(store, sha256('hello'), { first: 1, last: 3 }), 'ell')
    assert.equal(await read(store, sha256('hello'), { first: 4, last: 4 }), 'o')
  })

  contract('the empty blob is a blob', async (store) => {
    const id = await store.begin('sha256')
    assert.deepEqual(await commit(store, id, sha256('')), { size: 0 })
    assert.deepEqual(await store.stat(sha256('')), { size: 0 })
    assert.equal(await read(store, sha256('')), '')
  })

  contract('a blob may be named by sha512', async (store) => {
    const id = await upload(store, 'hello', 'sha512')
    await commit(store, id, sha512('hello'))
    assert.equal(await read(store, sha512('hello')), 'hello')
    assert.equal(await store.stat(sha256('hello')), undefined)
    assert.deepEqual(await allOf(store.listBlobs()), [sha512('hello')])
  })

  contract('an upload begun for one algorithm may be committed under another', async (store) => {
    await commit(store, await upload(store, 'hello', 'sha256'), sha512('hello'))
    await commit(store, await upload(store, 'hello', 'sha512'), sha256('hello'))
    assert.equal(await read(store, sha512('hello')), 'hello')
    assert.equal(await read(store, sha256('hello')), 'hello')
  })

  contract('a chunk that does not start at the end is refused and stores nothing', async (store) => {
    const id = await upload(store, 'hello')
    await assert.rejects(store.append(id, 4, streamOf('o!')), { code: 'BLOB_UPLOAD_INVALID' })
    await assert.rejects(store.append(id, 6, streamOf('!')), { code: 'BLOB_UPLOAD_INVALID' })
    assert.equal(await store.size(id), 5)
    await commit(store, id, sha256('hello'))
  })

  contract('a second append at the same time is refused and the first goes on', async (store) => {
    const id = await store.begin('sha256')
    const first = new PassThrough()
    first.write('hel')
    const appended = store.append(id, 0, first)
    await assert.rejects(store.append(id, 0, streamOf('XYZ')), { code: 'BLOB_UPLOAD_INVALID' })
    await assert.rejects(commit(store, id, sha256('hel')), { code: 'BLOB_UPLOAD_INVALID' })
    first.end('lo')
    assert.equal(await appended, 5)
    await commit(store, id, sha256('hello'))
  })

  contract('a refused append leaves the stream to its owner', async (store) => {
    const id = await store.begin('sha256')
    const bytes = streamOf('hello')
    await assert.rejects(store.append(id, 1, bytes), { code: 'BLOB_UPLOAD_INVALID' })
    assert.equal(bytes.destroyed, false)
    assert.equal(await store.append(id, 0, bytes), 5)
  })

  contract('what came in before a stream broke off stays and can be continued', async (store) => {
    const id = await store.begin('sha256')
    await assert.rejects(store.append(id, 0, breakingAfter('hel')), { message: 'connection lost' })
    assert.equal(await store.size(id), 3)
    await assert.rejects(store.append(id, 3, breakingAfter('l')), { message: 'connection lost' })
    assert.equal(await store.append(id, 4, streamOf('o')), 5)
    await commit(store, id, sha256('hello'))
    assert.equal(await read(store, sha256('hello')), 'hello')
  })

  contract('whoever appends is told how much can be read, also while the rest is awaited', async (store) => {
    const id = await store.begin('sha256')
    const [bytes, told] = [new PassThrough(), new PassThrough({ objectMode: true })]
    const sizes = told[Symbol.asyncIterator]()
    const appended = store.append(id, 0, bytes, (size) => told.write(size))
    await using reader = await store.readUpload(id)
    for (const [part, size] of [['hel', 3] as const, ['lo', 5] as const]) {
      bytes.write(part)
      assert.deepEqual(await sizes.next(), { done: false, value: size })
      assert.equal(await readAll(reader), 'hello'.slice(0, size))
    }
    bytes.end()
    assert.equal(await appended, 5)
    await assert.rejects(
      store.append(id, 5, breakingAfter(' wor'), (size) => told.end(size)),
      { message: 'connection lost' },
    )
    assert.deepEqual(await sizes.next(), { done: false, value: 9 })
  })

  contract('a reader of an upload goes on when that has become a blob, or was discarded', async (store) => {
    const ids = [await upload(store, 'hello'), await upload(store, 'hello')] as const
    await using first = await store.readUpload(ids[0])
    await using second = await store.readUpload(ids[1])
    await commit(store, ids[0], sha256('hello'))
    await store.discard(ids[1])
    await store.delete([sha256('hello')])
    for (const reader of [first, second]) assert.equal(await readAll(reader), 'hello')
    for (const id of ids) assert.equal(await store.readUpload(id), undefined)
  })

  contract('an upload that is held is discarded by nobody, and goes on', async (store) => {
    const id = await upload(store, 'hel')
    const inUse = { code: 'BLOB_UPLOAD_INVALID' }
    {
      using _held = store.hold(id)
      await assert.rejects(store.discard(id), inUse)
      assert.throws(() => store.hold(id), inUse)
      await store.append(id, 3, streamOf('lo'))
      await assert.rejects(commit(store, id, sha256('hel')), { code: 'DIGEST_INVALID' })
      using _verified = await store.verify(id, sha256('hello'))
      await assert.rejects(store.discard(id), inUse)
    }
    {
      using _verified = await store.verify(id, sha256('hello'))
      assert.throws(() => store.hold(id), inUse)
    }
    assert.equal(await store.discard(id), true)
  })

  contract('a wrong digest keeps the upload, which can be continued and committed', async (store) => {
    const id = await upload(store, 'hel')
    const detail = { expected: sha256('hello'), actual: sha256('hel') }
    await assert.rejects(commit(store, id, sha256('hello')), { code: 'DIGEST_INVALID', detail })
    assert.equal(await store.stat(sha256('hello')), undefined)
    assert.equal(await store.size(id), 3)
    await store.append(id, 3, streamOf('lo'))
    await commit(store, id, sha256('hello'))
    assert.equal(await read(store, sha256('hello')), 'hello')
  })

  contract('an upload goes on after a restart', async (store, fixture) => {
    const id = await upload(store, 'hel')
    await using restarted = await fixture.open()
    assert.equal(await restarted.size(id), 3)
    assert.equal(await restarted.append(id, 3, streamOf('lo')), 5)
    await commit(restarted, id, sha256('hello'))
    assert.equal(await read(restarted, sha256('hello')), 'hello')
  })

  contract('an upload is committed after a restart', async (store, fixture) => {
    const id = await upload(store, 'hello')
    await using restarted = await fixture.open()
    await assert.rejects(commit(restarted, id, sha256('world')), { code: 'DIGEST_INVALID' })
    await commit(restarted, id, sha256('hello'))
    assert.equal(await read(restarted, sha256('hello')), 'hello')
  })

  contract('a blob that is there already stays readable when it is uploaded again', async (store) => {
    await keep(store, 'hello')
    const reading = await store.open(sha256('hello'), undefined)
    await keep(store, 'hello')
    assert.equal((await buffer(reading)).toString(), 'hello')
    assert.equal(await read(store, sha256('hello')), 'hello')
    assert.deepEqual(await allOf(store.listUploads()), [])
  })

  contract('several uploads of one blob may be committed at once', async (store) => {
    const ids = await Promise.all(['', '', '', ''].map(() => upload(store, 'hello')))
    await Promise.all(ids.map((id) => commit(store, id, sha256('hello'))))
    assert.equal(await read(store, sha256('hello')), 'hello')
    assert.deepEqual(await allOf(store.listUploads()), [])
  })

  contract('a discarded upload is gone', async (store) => {
    const id = await upload(store, 'hello')
    assert.equal(await store.discard(id), true)
    assert.equal(await store.size(id), undefined)
    assert.equal(await store.discard(id), false)
  })

  contract('an upload that is not there is undefined and unusable', async (store) => {
    const id = unknownUpload()
    assert.equal(await store.size(id), undefined)
    await assert.rejects(store.append(id, 0, streamOf('hello')), { code: 'BLOB_UPLOAD_UNKNOWN' })
    await assert.rejects(commit(store, id, sha256('')), { code: 'BLOB_UPLOAD_UNKNOWN' })
  })

  contract('uploads are listed with the time of their last byte', async (store) => {
    const before = Date.now() - 2000 // coarse clocks of file systems
    const ids = [await store.begin('sha256'), await upload(store, 'hello')]
    const listed = await allOf(store.listUploads())
    assert.deepEqual(listed.map(({ id }) => id).sort(), ids.sort())
    for (const { modifiedAt } of listed) assert.ok(modifiedAt.getTime() >= before)
  })

  contract('a blob larger than every buffer comes back as it went in', async (store) => {
    const chunk = Buffer.alloc(100_000, 'a large layer ')
    const bytes = Buffer.concat(Array.from({ length: 50 }, () => chunk))
    const id = await store.begin('sha256')
    await store.append(id, 0, Readable.from(Array.from({ length: 50 }, () => chunk)))
    await commit(store, id, sha256(bytes))
    assert.ok((await buffer(await store.open(sha256(bytes), undefined))).equals(bytes))
  })

  contract('a client may send byte by byte', async (store) => {
    const text = 'slow '.repeat(1000)
    const id = await store.begin('sha256')
    await store.append(id, 0, Readable.from([...text].map((letter) => Buffer.from(letter))))
    await commit(store, id, sha256(text))
    assert.equal(await read(store, sha256(text)), text)
  })

  contract(
    'however the bytes are cut into appends, restarts and wrong commits, the same blob comes out',
    async (_, fixture) => {
      const step = fc.record({
        bytes: fc.uint8Array({ maxLength: 20 }),
        before: fc.constantFrom('', 'restart', 'commit'),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
          let store = await fixture.open()
          const id = await store.begin('sha256')
          let sent = Buffer.alloc(0)
          for (const { bytes, before } of steps) {
            if (before === 'restart') store = await fixture.open()
            if (before === 'commit')
              await assert.rejects(commit(store, id, sha512('something else')), { code: 'DIGEST_INVALID' })
            assert.equal(await store.append(id, sent.length, streamOf(bytes)), sent.length + bytes.length)
            sent = Buffer.concat([sent, bytes])
          }
          await commit(store, id, sha256(sent))
          assert.ok((await buffer(await store.open(sha256(sent), undefined))).equals(sent))
        }),
        { numRuns: 25 },
      )
    },
  )
}

export function sha256(content: string | Uint8Array): Digest {
  return digestOf('sha256', createHash('sha256').update(content).digest('hex'))
}

export function sha512(content: string | Uint8Array): Digest {
  return digestOf('sha512', createHash('sha512').update(content).digest('hex'))
}

export function streamOf(content: string | Uint8Array): Readable {
  return Readable.from([Buffer.from(content)])
}

export async function upload(
  store: BlobStore,
  content: string | Uint8Array,
  algorithm: DigestAlgorithm = 'sha256',
): Promise<UploadId> {
  const id = await store.begin(algorithm)
  await store.append(id, 0, streamOf(content))
  return id
}

/** As a push does when nothing comes in between. */
export async function commit(store: BlobStore, id: UploadId, digest: Digest): Promise<{ readonly size: number }> {
  using verified = await store.verify(id, digest)
  await verified.place()
  return { size: verified.size }
}

export async function keep(store: BlobStore, content: string): Promise<Digest> {
  await commit(store, await upload(store, content), sha256(content))
  return sha256(content)
}

export async function read(store: BlobStore, digest: Digest, range?: ByteRange): Promise<string> {
  const bytes = await store.open(digest, range)
  const content = await buffer(bytes)
  if (!bytes.closed) await once(bytes, 'close')
  return content.toString()
}

export async function allOf<item>(listed: AsyncIterable<item>): Promise<item[]> {
  const items: item[] = []
  for await (const item of listed) items.push(item)
  return items
}

export function unknownUpload(): UploadId {
  const id: string = randomUUID()
  assert.ok(isUploadId(id))
  return id
}

async function readAll(reader: UploadReader | undefined): Promise<string> {
  const into = Buffer.alloc(100)
  assert.ok(reader)
  const [first, rest] = [await reader.read(into.subarray(0, 2), 0), await reader.read(into.subarray(2), 2)]
  assert.equal(await reader.read(into.subarray(90), 90), 0)
  return into.toString('utf8', 0, first + rest)
}

function breakingAfter(content: string): Readable {
  return Readable.from(
    (async function* () {
      yield Buffer.from(content)
      throw new Error('connection lost')
    })(),
  )
}

async function removeAll(store: BlobStore): Promise<void> {
  for await (const { id } of store.listUploads()) await store.discard(id)
  for await (const digest of store.listBlobs()) await store.delete([digest])
}
