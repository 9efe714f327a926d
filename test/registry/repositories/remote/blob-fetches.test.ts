import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { RegistryError } from '../../../../registry/domain/errors.ts'
import { expireUploads } from '../../../../registry/jobs/upload-expiry.ts'
import { recoverUploads } from '../../../../registry/jobs/upload-recovery.ts'
import type { BlobSource } from '../../../../registry/repositories/remote/blob-fetch.ts'
import { BlobFetches } from '../../../../registry/repositories/remote/blob-fetches.ts'
import type { BlobHandle } from '../../../../registry/repositories/repository.ts'
import type { BlobStore } from '../../../../registry/storage/blob-store.ts'
import { openFilesystemBlobs } from '../../../../registry/storage/filesystem-blobs.ts'
import { allOf, sha256, streamOf } from '../../../contracts/blob-store.ts'
import { ref } from '../../../contracts/metadata-store.ts'
import { keepLog } from '../../../helpers/kept-log.ts'
import { descriptorsFallTo, openDescriptors } from '../../../helpers/open-descriptors.ts'
import { noTinyFilesystem, tinyFilesystem } from '../../../helpers/tiny-filesystem.ts'
import { temporaryStorage } from '../storage.ts'
import { patternOf, sizeOfPattern } from './pattern.ts'
import { byHand, fromStart, lost, ranged, scriptedSource, unreachable } from './scripted-source.ts'

const [app, other] = [ref('docker-hub', 'app'), ref('docker-hub', 'other')]
const content = patternOf(sizeOfPattern)
const digest = sha256(content)
const everything = new Date(Date.now() + 86_400_000)

async function setUp(pausesMs: readonly number[] = [0, 0, 0, 0, 0], now?: () => Date) {
  const storage = await temporaryStorage()
  const kept = keepLog()
  const opened: BlobFetches[] = []
  const open = (blobs: BlobStore = storage.blobs) => {
    const fetches = new BlobFetches({ blobs, metadata: storage.metadata }, kept.log, now, pausesMs)
    opened.push(fetches)
    return fetches
  }
  /** Readers have all before it is durable, and a blob. */
  const settled = async () => void (await Promise.all(opened.map((fetches) => fetches.settled())))
  return {
    storage,
    kept,
    /** As a restart does. */
    open,
    fetches: open(),
    settled,
    leftovers: async () => {
      await settled()
      return [
        ...(await allOf(storage.blobs.listUploads())).map(({ id }) => id),
        ...(await storage.metadata.listUploadOwners()).map(({ id }) => id),
        ...openIn(storage.directory),
      ]
    },
    [Symbol.asyncDispose]: async () => {
      await settled()
      await storage[Symbol.asyncDispose]()
    },
  }
}

function openIn(directory: string): readonly string[] {
  return openDescriptors().filter((name) => name.startsWith(join(directory, 'uploads')))
}

async function fetched(fetches: BlobFetches, source: BlobSource): Promise<BlobHandle> {
  const handle = await fetches.fetch(app, digest, source)
  assert.ok(handle)
  return handle
}

/** The store, but for what is changed about it. */
function blobsWith(blobs: BlobStore, changes: Partial<BlobStore>): BlobStore {
  return new Proxy(blobs, {
    get: (_, name): unknown => {
      const value: unknown = Reflect.get(changes, name) ?? Reflect.get(blobs, name)
      return typeof value === 'function' ? value.bind(blobs) : value
    },
  })
}

async function readAll(handle: BlobHandle): Promise<Buffer> {
  return buffer(await handle.open(undefined))
}

/** How much of a blob a reader gets before it breaks off. */
async function readUntilBroken(handle: BlobHandle, by: object): Promise<number> {
  const bytes: AsyncIterable<Buffer> = await handle.open(undefined)
  let read = 0
  await assert.rejects(async () => {
    for await (const chunk of bytes) read += chunk.length
  }, by)
  return read
}

test('64 readers of one blob ask the upstream once; each reads all or its part, also when the first leaves', async () => {
  await using it = await setUp()
  const { bytes, answer } = byHand(content.length)
  const source = scriptedSource(answer)
  const handles = await Promise.all(Array.from({ length: 64 }, () => fetched(it.fetches, source)))
  const [first, ...others] = await Promise.all(handles.map((handle) => handle.open(undefined)))
  const range = { first: 1_000_000, last: 2_000_000 }
  const part = buffer(await fetched(it.fetches, source).then((handle) => handle.open(range)))
  const end = buffer(
    await fetched(it.fetches, source).then((handle) => handle.open({ first: 2_999_990, last: 2_999_999 })),
  )
  bytes.write(content.subarray(0, 100))
  assert.ok(first)
  await once(first, 'readable')
  first.destroy()
  bytes.end(content.subarray(100))
  for (const all of await Promise.all(others.map((other) => buffer(other)))) assert.ok(all.equals(content))
  assert.ok((await part).equals(content.subarray(1_000_000, 2_000_001)))
  assert.ok((await end).equals(content.subarray(2_999_990)))
  await it.settled()
  assert.deepEqual(source.asked, [0])
  assert.deepEqual(await it.storage.metadata.findBlob(app, digest), { size: content.length })
  await descriptorsFallTo(0, (name) => name.startsWith(it.storage.directory) && !name.includes('caisson.db'))
  assert.deepEqual(await it.leftovers(), [])
})

test('the bytes are there as they come in, but the last one only when all have been verified', async () => {
  await using it = await setUp()
  const { bytes, answer } = byHand(content.length)
  const handle = await fetched(it.fetches, scriptedSource(answer))
  assert.equal(handle.path(), undefined)
  assert.deepEqual(handle.cache, { kind: 'miss' })
  const sizes = handle.growth?.available()[Symbol.asyncIterator]()
  assert.ok(sizes && handle.growth?.path)
  bytes.write(content.subarray(0, 10))
  assert.deepEqual(await sizes.next(), { done: false, value: 10 })
  assert.ok((await readFile(handle.growth.path)).equals(content.subarray(0, 10)))
  const reading = await handle.open({ first: 2, last: 9 })
  assert.ok((await buffer(reading)).equals(content.subarray(2, 10)))

  bytes.write(content.subarray(10))
  let told = await sizes.next()
  while (told.value !== content.length - 1) {
    assert.ok(!told.done && told.value < content.length)
    told = await sizes.next()
  }
  const whole = await handle.open(undefined)
  const last = await handle.open({ first: content.length - 1, last: content.length - 1 })
  bytes.end()
  assert.deepEqual(await sizes.next(), { done: false, value: content.length })
  assert.deepEqual(await sizes.next(), { done: true, value: undefined })
  assert.ok((await buffer(whole)).equals(content))
  assert.equal((await buffer(last)).length, 1)
  await it.settled()
  assert.equal(handle.growth, undefined)
  assert.equal(handle.path(), it.storage.blobs.path(digest))
  assert.ok((await readAll(handle)).equals(content))
})

test('whoever stops listening for growth is rid of it at once', async () => {
  await using it = await setUp()
  const { bytes, answer } = byHand(content.length)
  const handle = await fetched(it.fetches, scriptedSource(answer))
  const sizes = handle.growth?.available()[Symbol.asyncIterator]()
  const next = sizes?.next()
  await sizes?.return?.()
  assert.deepEqual(await next, { done: true, value: undefined })
  bytes.end(content)
  assert.ok((await readAll(handle)).equals(content))
})

test('a transfer goes on when everybody has left', async () => {
  await using it = await setUp()
  const { bytes, answer } = byHand(content.length)
  const source = scriptedSource(answer)
  const reading = await (await fetched(it.fetches, source)).open(undefined)
  bytes.write(content.subarray(0, 10))
  await once(reading, 'readable')
  reading.destroy()
  await once(reading, 'close')
  bytes.end(content.subarray(10))
  await readAll(await fetched(it.fetches, source))
  await it.settled()
  assert.deepEqual(source.asked, [0])
  assert.ok(await it.storage.metadata.findBlob(app, digest))
})

test('a slow reader keeps little in memory and holds nobody up', async () => {
  await using it = await setUp()
  const handle = await fetched(it.fetches, scriptedSource(ranged(content)))
  const slow = await handle.open(undefined)
  await once(slow, 'readable')
  assert.ok((await readAll(handle)).equals(content))
  assert.ok(slow.readableLength <= 256 * 1024, `${slow.readableLength}`)
  assert.ok((await buffer(slow)).equals(content))
})

test('where a transfer breaks off it goes on, again and again while anything comes', async () => {
  await using it = await setUp()
  const source = scriptedSource(
    ranged(content, { until: 1000 }),
    unreachable,
    ...Array.from({ length: 9 }, (_, index) => ranged(content, { until: 1001 + index })),
    unreachable,
    ranged(content),
  )
  const handle = await fetched(it.fetches, source)
  assert.ok((await readAll(handle)).equals(content))
  assert.deepEqual(source.asked, [0, 1000, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1009])
  assert.deepEqual(await it.leftovers(), [])
})

test('an upstream that brings next to nothing each time is given up, though it does bring something', async () => {
  let seconds = 0
  await using it = await setUp([0, 0, 0, 0, 0], () => new Date((seconds += 10) * 1000))
  const source = scriptedSource(
    ranged(content, { until: 1_000_000 }),
    ...Array.from({ length: 5 }, (_, index) => ranged(content, { until: 1_000_001 + index })),
  )
  await readUntilBroken(await fetched(it.fetches, source), { kind: 'unreachable' })
  assert.deepEqual(source.asked, [0, 1_000_000, 1_000_001, 1_000_002, 1_000_003, 1_000_004])
  const [kept] = await allOf(it.storage.blobs.listUploads())
  assert.ok(kept)
  assert.equal(await it.storage.blobs.size(kept.id), 1_000_005)
})

test('of an upstream without ranges nothing is stored twice', async () => {
  await using it = await setUp()
  const source = scriptedSource(
    fromStart(content, { until: 1_000_000 }),
    fromStart(content, { until: 10 }),
    fromStart(content),
  )
  assert.ok((await readAll(await fetched(it.fetches, source))).equals(content))
  assert.deepEqual(source.asked, [0, 1_000_000, 1_000_000])
})

test('a stream that ends early has broken off', async () => {
  await using it = await setUp()
  const { bytes, answer } = byHand(content.length)
  bytes.end(content.subarray(0, 1234))
  const source = scriptedSource(answer, ranged(content))
  assert.ok((await readAll(await fetched(it.fetches, source))).equals(content))
  assert.deepEqual(source.asked, [0, 1234])
})

test('after five attempts that bring nothing it is given up, and the next one goes on from there', async () => {
  await using it = await setUp()
  const source = scriptedSource(ranged(content, { until: 500_000 }), ...Array<() => never>(5).fill(unreachable))
  assert.ok((await readUntilBroken(await fetched(it.fetches, source), lost())) <= 500_000)
  assert.equal(source.asked.length, 6)

  const next = scriptedSource(ranged(content))
  const handle = await fetched(it.fetches, next)
  assert.deepEqual(next.asked, [500_000])
  assert.ok((await readAll(handle)).equals(content))
  assert.deepEqual(await it.leftovers(), [])
})

test('an upstream that cannot be reached at first is not waited for', async () => {
  await using it = await setUp()
  await assert.rejects(it.fetches.fetch(app, digest, scriptedSource(unreachable)), lost())
  assert.deepEqual(await it.leftovers(), [])
})

test('a blob with a wrong digest reaches nobody whole, leaves nothing, and is fetched anew', async () => {
  await using it = await setUp()
  const wrong = Buffer.from(content)
  wrong[0] = 0
  const source = scriptedSource(ranged(wrong))
  const handles = await Promise.all(Array.from({ length: 8 }, () => fetched(it.fetches, source)))
  const [handle] = handles
  assert.ok(handle?.growth)
  const sizes = handle.growth.available()
  const reads = await Promise.all(handles.map((handle) => readUntilBroken(handle, { kind: 'wrong' })))
  for (const read of reads) assert.ok(read < content.length)
  await assert.rejects(allOf(sizes), { kind: 'wrong' })
  for (const late of [handle.open(undefined), handle.growth?.kept()])
    await assert.rejects(async () => late, { code: 'UNAVAILABLE', message: /another digest/ })
  await descriptorsFallTo(0, (name) => name.startsWith(join(it.storage.directory, 'uploads')))
  assert.deepEqual(await it.leftovers(), [])
  assert.equal(await it.storage.metadata.hasImage(app), false)

  assert.ok((await readAll(await fetched(it.fetches, scriptedSource(ranged(content))))).equals(content))
})

test('whoever has stopped reading for a while is told of a failure too', async () => {
  await using it = await setUp([])
  const { bytes, answer } = byHand(content.length)
  const reading = await (await fetched(it.fetches, scriptedSource(answer))).open(undefined)
  bytes.write(content.subarray(0, 1_000_000))
  await once(reading, 'readable')
  bytes.destroy(lost())
  assert.deepEqual(await once(reading, 'error'), [lost()])
})

test('more bytes than announced are wrong', async () => {
  await using it = await setUp()
  const longer = Buffer.concat([content, Buffer.from('!')])
  const handle = await fetched(it.fetches, scriptedSource(ranged(longer, { size: content.length })))
  assert.ok((await readUntilBroken(handle, { kind: 'wrong' })) < content.length)
  assert.deepEqual(await it.leftovers(), [])
})

test('a size that is not the expected one is wrong before anybody reads', async () => {
  await using it = await setUp()
  const source = { ...scriptedSource(ranged(content)), expectedSize: content.length + 1 }
  await assert.rejects(it.fetches.fetch(app, digest, source), { kind: 'wrong' })
  assert.deepEqual(await it.leftovers(), [])
})

test('a size that changes on the way is wrong', async () => {
  await using it = await setUp()
  const source = scriptedSource(ranged(content, { until: 100 }), ranged(content, { size: 7 }))
  await readUntilBroken(await fetched(it.fetches, source), { kind: 'wrong' })
  assert.deepEqual(await it.leftovers(), [])
})

test('an expected size stands for one that the upstream does not say', async () => {
  await using it = await setUp()
  const { bytes, answer } = byHand(undefined)
  const handle = await fetched(it.fetches, { ...scriptedSource(answer), expectedSize: content.length })
  assert.equal(handle.size, content.length)
  assert.ok(handle.growth)
  bytes.end(content)
  assert.ok((await readAll(handle)).equals(content))
})

test('a blob whose size nobody knows is given when it is here', async () => {
  await using it = await setUp()
  const source = scriptedSource(ranged(content, { size: undefined, until: 100 }), ranged(content, { size: undefined }))
  const handle = await fetched(it.fetches, source)
  assert.deepEqual([handle.size, handle.growth, handle.cache], [content.length, undefined, { kind: 'miss' }])
  assert.ok((await readAll(handle)).equals(content))
  assert.deepEqual(source.asked, [0, 100])
})

test('an empty blob is given when it has been verified', async () => {
  await using it = await setUp()
  const handle = await it.fetches.fetch(app, sha256(''), scriptedSource(ranged(Buffer.alloc(0))))
  assert.ok(handle)
  assert.equal((await readAll(handle)).length, 0)
  const wrong = await it.fetches.fetch(app, digest, scriptedSource(ranged(Buffer.alloc(0))))
  assert.ok(wrong)
  await assert.rejects(readAll(wrong), { kind: 'wrong' })
  assert.deepEqual(await it.leftovers(), [])
})

test('a blob that the upstream does not have is undefined and leaves nothing', async () => {
  await using it = await setUp()
  const source = scriptedSource(() => undefined)
  const [one, two] = await Promise.all([it.fetches.fetch(app, digest, source), it.fetches.fetch(app, digest, source)])
  assert.deepEqual([one, two, source.asked], [undefined, undefined, [0]])
  assert.deepEqual(await it.leftovers(), [])
  assert.equal(await it.storage.metadata.hasImage(app), false)
})

test('two images that want the same blob each fetch it, and the bytes are stored once', async () => {
  await using it = await setUp()
  const source = scriptedSource(ranged(content), ranged(content))
  const handles = await Promise.all([app, other].map((of) => it.fetches.fetch(of, digest, source)))
  for (const handle of handles) assert.ok(handle && (await readAll(handle)).equals(content))
  await it.settled()
  for (const image of [app, other]) assert.ok(await it.storage.metadata.findBlob(image, digest))
  assert.deepEqual(await allOf(it.storage.blobs.listBlobs()), [digest])
})

test('a blob that has come in meanwhile is not fetched again', async () => {
  await using it = await setUp()
  await readAll(await fetched(it.fetches, scriptedSource(ranged(content))))
  await it.settled()
  const handle = await fetched(it.open(), scriptedSource())
  assert.deepEqual([handle.size, handle.growth, handle.cache], [content.length, undefined, { kind: 'hit' }])
})

test('a stop breaks off what comes in and keeps it; after the restart it goes on', async () => {
  await using it = await setUp()
  const { bytes, answer } = byHand(content.length)
  const handle = await fetched(it.fetches, scriptedSource(answer))
  bytes.write(content.subarray(0, 12_345))
  assert.ok((await buffer(await handle.open({ first: 0, last: 10 }))).equals(content.subarray(0, 11)))
  await Promise.all([readUntilBroken(handle, { code: 'UNAVAILABLE' }), it.fetches.close()])
  await assert.rejects(it.fetches.fetch(app, digest, scriptedSource()), { code: 'UNAVAILABLE' })
  assert.equal(bytes.destroyed, true)

  const source = scriptedSource(ranged(content))
  assert.ok((await readAll(await fetched(it.open(), source))).equals(content))
  assert.deepEqual(source.asked, [12_345])
  assert.deepEqual(await it.leftovers(), [])
})

test('after a process that was killed in the middle of it a transfer goes on, and the blob is right', async () => {
  await using it = await setUp()
  const { blobs, metadata, directory } = it.storage
  const program = fileURLToPath(new URL('killed-fetch.ts', import.meta.url))
  const child = spawn(process.execPath, [program, directory, '1234567'], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL'])
  await recoverUploads({ blobs, metadata }, () => undefined)

  const source = scriptedSource(ranged(content))
  assert.ok((await readAll(await fetched(it.fetches, source))).equals(content))
  await it.settled()
  assert.deepEqual(source.asked, [1_234_567])
  assert.deepEqual(await metadata.findBlob(app, digest), { size: content.length })
  assert.deepEqual(await it.leftovers(), [])
})

test('a stop waits for no answer and no pause', async () => {
  await using it = await setUp([2 ** 30])
  const late = Promise.withResolvers<undefined>()
  const unanswered = it.fetches.fetch(
    app,
    digest,
    scriptedSource(() => late.promise),
  )
  const pausing = await it.fetches.fetch(other, digest, scriptedSource(ranged(content, { until: 10 })))
  assert.ok(pausing)
  const stopped = { code: 'UNAVAILABLE' }
  const told = [assert.rejects(unanswered, stopped), readUntilBroken(pausing, stopped)]
  await Promise.all([...told, it.fetches.close()])
  late.resolve(undefined)
})

test('what a killed process had received whole is not asked for again', async () => {
  await using it = await setUp()
  const { blobs, metadata } = it.storage
  for (const expectedSize of [content.length, undefined]) {
    const id = await blobs.begin('sha256')
    await metadata.addUpload(app, id, { fetches: digest })
    await blobs.append(id, 0, streamOf(content))
    const handle = await fetched(it.fetches, { ...scriptedSource(), expectedSize })
    assert.ok((await readAll(handle)).equals(content))
    assert.deepEqual(await it.leftovers(), [])
    await metadata.unlinkBlob(app, digest)
  }
})

test('wrong bytes that an earlier fetch has left are replaced', async () => {
  await using it = await setUp()
  const { blobs, metadata } = it.storage
  const wrong = Buffer.alloc(content.length)
  for (const kept of [wrong, Buffer.concat([wrong, wrong])]) {
    const id = await blobs.begin('sha256')
    await metadata.addUpload(app, id, { fetches: digest })
    await blobs.append(id, 0, streamOf(kept))
    const source = { ...scriptedSource(ranged(content)), expectedSize: content.length }
    assert.ok((await readAll(await fetched(it.fetches, source))).equals(content))
    assert.deepEqual(await it.leftovers(), [])
    await metadata.unlinkBlob(app, digest)
  }
})

test('on a full disk nothing is kept, and whoever asks is told', async () => {
  await using it = await setUp()
  const full = new RegistryError('STORAGE_FULL')
  const { blobs } = it.storage
  const refusing = blobsWith(blobs, { admit: () => Promise.reject(full) })
  const { bytes, answer } = byHand(content.length)
  await assert.rejects(it.open(refusing).fetch(app, digest, scriptedSource(answer)), full)
  assert.equal(bytes.destroyed, true)
  assert.deepEqual(await it.leftovers(), [])

  const filling = blobsWith(blobs, {
    append: async (id, offset, bytes, tell) => {
      await blobs.append(id, offset, bytes, tell)
      throw full
    },
  })
  const handle = await fetched(it.open(filling), scriptedSource(ranged(content)))
  assert.ok((await readUntilBroken(handle, full)) < content.length)
  await descriptorsFallTo(0, (name) => name.startsWith(join(it.storage.directory, 'uploads')))
  assert.deepEqual(await it.leftovers(), [])
})

test(
  'a disk that becomes full takes back what came in, and every reader is told',
  { skip: noTinyFilesystem },
  async () => {
    await using it = await setUp()
    await using disk = await tinyFilesystem(2)
    const within = (name: string) => join(disk.path, name)
    await using small = await openFilesystemBlobs({ blobs: within('blobs'), uploads: within('uploads') })
    const { bytes, answer } = byHand(content.length)
    const handle = await fetched(it.open(small), scriptedSource(answer))
    const slow = await handle.open(undefined)
    const sizes = handle.growth?.available()[Symbol.asyncIterator]()
    bytes.write(content.subarray(0, 1_100_000))
    await sizes?.next()
    bytes.end(content.subarray(1_100_000))
    assert.ok((await readUntilBroken(handle, { code: 'STORAGE_FULL' })) < content.length)
    await assert.rejects(buffer(slow), { code: 'STORAGE_FULL' })
    assert.deepEqual(await allOf(small.listUploads()), [])
    assert.deepEqual(await it.leftovers(), [])
  },
)

test('an upload that comes in is not abandoned, neither in a pause nor while the upstream is silent', async () => {
  await using it = await setUp()
  const expire = async () => assert.equal(await expireUploads(it.storage, everything, () => undefined), 0)
  const source = scriptedSource(ranged(content, { until: 10 }), async (offset) => {
    await expire()
    return ranged(content)(offset)
  })
  assert.ok((await readAll(await fetched(it.fetches, source))).equals(content))
  assert.deepEqual(source.asked, [0, 10])
})

test('one that was given up is abandoned like any other', async () => {
  await using it = await setUp([])
  const handle = await fetched(it.fetches, scriptedSource(ranged(content, { until: 10 })))
  await readUntilBroken(handle, lost())
  assert.equal((await it.storage.metadata.listUploadOwners()).length, 1)
  await descriptorsFallTo(0, (name) => name.startsWith(join(it.storage.directory, 'uploads')))
  assert.equal(await expireUploads(it.storage, everything, () => undefined), 1)
  assert.deepEqual(await it.leftovers(), [])
  assert.equal(await it.storage.metadata.hasImage(app), false)
})

test('what broke off is logged, and what failed', async () => {
  await using it = await setUp([0])
  const handle = await fetched(it.fetches, scriptedSource(ranged(content, { until: 10 }), unreachable))
  await readUntilBroken(handle, lost())
  assert.deepEqual(it.kept.messages('info'), ['the transfer of a blob broke off and goes on'])
  assert.deepEqual(it.kept.messages('warn'), ['a blob was not fetched'])
})
