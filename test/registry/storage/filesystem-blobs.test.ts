import assert from 'node:assert/strict'
import { globSync, readdirSync, readlinkSync } from 'node:fs'
import { readFile, statfs, writeFile } from 'node:fs/promises'
import { isAbsolute, join, relative } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { test } from 'node:test'
import { encodedOf } from '../../../registry/domain/digest.ts'
import { openFilesystemBlobs } from '../../../registry/storage/filesystem-blobs.ts'
import {
  allOf,
  blobStoreContract,
  keep,
  sha256,
  sha512,
  streamOf,
  upload,
  type BlobStoreFixture,
  commit,
} from '../../contracts/blob-store.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { noTinyFilesystem, tinyFilesystem } from '../../helpers/tiny-filesystem.ts'

blobStoreContract(async (): Promise<BlobStoreFixture> => {
  const directory = await temporaryDirectory()
  return {
    open: () => openIn(directory.path),
    leftovers: async () => [...filesIn(directory.path), ...openFilesIn(directory.path)],
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  }
})

test('a blob is a file under the first two digits of its digest, an upload one under its id', async () => {
  await using directory = await temporaryDirectory()
  await using store = await openIn(directory.path)
  const id = await upload(store, 'hello')
  assert.equal(await readFile(join(directory.path, 'uploads', id), 'utf8'), 'hello')

  await commit(store, id, sha256('hello'))
  const hex = encodedOf(sha256('hello'))
  assert.equal(store.path(sha256('hello')), join(directory.path, 'blobs', 'sha256', hex.slice(0, 2), hex))
  assert.equal(await readFile(store.path(sha256('hello')) ?? '', 'utf8'), 'hello')
})

test('the path of a blob is absolute, however the directory was given', async () => {
  await using directory = await temporaryDirectory()
  await using store = await openIn(relative(process.cwd(), directory.path))
  assert.ok(isAbsolute(store.path(sha256('')) ?? ''))
})

test('strange files among blobs and uploads are not listed', async () => {
  await using directory = await temporaryDirectory()
  await using store = await openIn(directory.path)
  await keep(store, 'hello')
  await writeFile(join(store.path(sha256('hello')) ?? '', '..', 'lost+found'), '')
  await writeFile(join(directory.path, 'blobs', 'sha256', 'README'), '')
  await writeFile(join(directory.path, 'uploads', '.nfs0001'), '')
  assert.deepEqual(await allOf(store.listBlobs()), [sha256('hello')])
  assert.deepEqual(await allOf(store.listUploads()), [])
})

test('a blob whose file was cut short is replaced when it is pushed again', async () => {
  await using directory = await temporaryDirectory()
  await using store = await openIn(directory.path)
  await keep(store, 'hello')
  await writeFile(store.path(sha256('hello')) ?? '', 'hel')
  await keep(store, 'hello')
  assert.equal(await readFile(store.path(sha256('hello')) ?? '', 'utf8'), 'hello')
})

test(
  'a full disk refuses the append, gives its space back and keeps what was there',
  { skip: noTinyFilesystem },
  async () => {
    await using disk = await tinyFilesystem(4)
    await using store = await openIn(disk.path)
    const mebibyte = Buffer.alloc(1 << 20, 'x')
    const id = await upload(store, mebibyte)
    const { bavail } = await statfs(disk.path)

    const tooMuch = Readable.from(Array.from({ length: 100 }, () => mebibyte.subarray(0, 1 << 16)))
    await assert.rejects(store.append(id, mebibyte.length, tooMuch), { code: 'STORAGE_FULL' })
    assert.equal(await store.size(id), mebibyte.length)
    assert.equal((await statfs(disk.path)).bavail, bavail)

    await store.append(id, mebibyte.length, streamOf('the end'))
    await commit(store, id, sha512(Buffer.concat([mebibyte, Buffer.from('the end')])))
  },
)

test('whoever reads along is told of a full disk, however long the next bytes take', async () => {
  await using directory = await temporaryDirectory()
  const paths = { blobs: join(directory.path, 'blobs'), uploads: join(directory.path, 'uploads') }
  await using store = await openFilesystemBlobs(paths, Number.MAX_SAFE_INTEGER)
  const id = await store.begin('sha256')
  const bytes = new PassThrough()
  bytes.write('hello')
  await assert.rejects(
    store.append(id, 0, bytes, () => {}),
    { code: 'STORAGE_FULL' },
  )
  assert.equal(await store.size(id), 0)
  bytes.destroy()
})

test('directories that lie on two file systems are refused', { skip: noTinyFilesystem }, async () => {
  await using directory = await temporaryDirectory()
  await using disk = await tinyFilesystem(1)
  const [blobs, uploads] = [join(directory.path, 'blobs'), join(disk.path, 'uploads')]
  await assert.rejects(openFilesystemBlobs({ blobs, uploads }), {
    message: `${uploads} and ${blobs} must be on one file system: a finished upload is moved, not copied`,
  })
  assert.deepEqual([...filesIn(directory.path), ...filesIn(disk.path)], [])
})

test('a directory that cannot be written is named, with what to do', async () => {
  await using directory = await temporaryDirectory()
  await writeFile(join(directory.path, 'blobs'), 'a file')
  await assert.rejects(openIn(directory.path), ({ message }: Error) => {
    assert.ok(message.includes(join(directory.path, 'blobs')), message)
    assert.match(message, /^cannot write to the directory .*: let the user that runs caisson write there/)
    return true
  })
})

function openIn(directory: string) {
  return openFilesystemBlobs({ blobs: join(directory, 'blobs'), uploads: join(directory, 'uploads') })
}

function filesIn(directory: string): readonly string[] {
  return globSync('**', { cwd: directory, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
}

/** What this process holds open there; known on Linux alone. */
function openFilesIn(directory: string): readonly string[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc/self/fd')
    .map((fd) => targetOf(fd))
    .filter((target) => target.startsWith(directory))
}

function targetOf(fd: string): string {
  try {
    return readlinkSync(join('/proc/self/fd', fd))
  } catch {
    return '' // the one that listed the others
  }
}
