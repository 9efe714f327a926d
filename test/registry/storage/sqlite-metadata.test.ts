import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openSqliteMetadata } from '../../../registry/storage/sqlite-metadata.ts'
import { accessStoreContract } from '../../contracts/access-store.ts'
import { sha256 } from '../../contracts/blob-store.ts'
import { garbageContract } from '../../contracts/garbage.ts'
import { imageCacheContract } from '../../contracts/image-cache.ts'
import { imageSearchContract } from '../../contracts/image-search.ts'
import { integrityContract } from '../../contracts/integrity.ts'
import { layerContentsContract } from '../../contracts/layer-contents.ts'
import { metadataStoreContract, ref } from '../../contracts/metadata-store.ts'
import { v1ImagesContract } from '../../contracts/v1-images.ts'
import { propertiesContract } from '../../contracts/properties.ts'
import { userNamed } from '../../helpers/users.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { noTinyFilesystem, tinyFilesystem } from '../../helpers/tiny-filesystem.ts'

metadataStoreContract(async () => {
  const directory = await temporaryDirectory()
  return {
    open: () => openSqliteMetadata(join(directory.path, 'caisson.db')),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  }
})

accessStoreContract(async () => {
  const directory = await temporaryDirectory()
  return {
    open: () => openSqliteMetadata(join(directory.path, 'caisson.db')),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  }
})

integrityContract(async () => {
  const directory = await temporaryDirectory()
  return {
    open: () => openSqliteMetadata(join(directory.path, 'caisson.db')),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  }
})

layerContentsContract(async () => {
  const directory = await temporaryDirectory()
  return {
    open: () => openSqliteMetadata(join(directory.path, 'caisson.db')),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  }
})

v1ImagesContract(async () => {
  const directory = await temporaryDirectory()
  let now = new Date()
  return {
    at: (time) => void (now = new Date(time)),
    open: () => openSqliteMetadata(join(directory.path, 'caisson.db'), () => now),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  }
})

for (const contract of [propertiesContract, imageSearchContract])
  contract(async () => {
    const directory = await temporaryDirectory()
    return {
      open: () => openSqliteMetadata(join(directory.path, 'caisson.db')),
      [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
    }
  })

const atTime = async (clock: { now: Date }) => {
  const directory = await temporaryDirectory()
  const store = await openSqliteMetadata(join(directory.path, 'caisson.db'), () => clock.now)
  return {
    store,
    clock,
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
    },
  }
}
garbageContract(atTime)
imageCacheContract(atTime)

const app = ref('docker-local', 'app')
const blank = JSON.stringify({ ...userNamed('a'), passwordHash: '' })
const module = new URL('../../../registry/storage/sqlite-metadata.ts', import.meta.url).href

test('several processes may start on a new database at once', async () => {
  await using directory = await temporaryDirectory()
  const file = join(directory.path, 'caisson.db')
  const names = ['a', 'b', 'c', 'd']
  const ends = names.map((name) =>
    run(`await using store = await openSqliteMetadata(${JSON.stringify(file)})
      await store.addUser({ ...${blank}, name: '${name}' })`),
  )
  for (const end of ends) assert.deepEqual(await end, { code: 0, signal: null })

  await using store = await openSqliteMetadata(file)
  assert.deepEqual(
    (await store.listUsers()).map(({ name }) => name),
    names,
  )
})

test('what was acknowledged survives a killed process', async () => {
  await using directory = await temporaryDirectory()
  const file = join(directory.path, 'caisson.db')
  const end = await run(`const store = await openSqliteMetadata(${JSON.stringify(file)})
    await store.addUser(${blank})
    process.kill(process.pid, 'SIGKILL')`)
  assert.equal(end.signal, 'SIGKILL')

  await using store = await openSqliteMetadata(file)
  assert.ok(await store.findUser('a'))
})

test('nobody else may read the database, which holds the token key', async () => {
  await using directory = await temporaryDirectory()
  await using store = await openSqliteMetadata(join(directory.path, 'caisson.db'))
  await store.addUser(userNamed('a'))
  const files = await readdir(directory.path)
  assert.ok(files.includes('caisson.db-wal'))
  for (const file of files) assert.equal((await stat(join(directory.path, file))).mode & 0o077, 0, file)
})

test('a database that cannot be opened is named', async () => {
  await using directory = await temporaryDirectory()
  await mkdir(join(directory.path, 'caisson.db'))
  await assert.rejects(openSqliteMetadata(join(directory.path, 'caisson.db')), ({ message }: Error) => {
    assert.ok(message.startsWith(`cannot open the database ${join(directory.path, 'caisson.db')}: `), message)
    return true
  })
})

test('a file that is no database is left as it is', async () => {
  await using directory = await temporaryDirectory()
  const file = join(directory.path, 'caisson.db')
  const content = 'my notes '.repeat(1000)
  await writeFile(file, content)
  await assert.rejects(openSqliteMetadata(file), {
    message: `cannot open the database ${file}: file is not a database`,
  })
  assert.equal(await readFile(file, 'utf8'), content)
})

test('a full disk refuses the push and keeps what was there', { skip: noTinyFilesystem }, async () => {
  await using disk = await tinyFilesystem(4)
  await using store = await openSqliteMetadata(join(disk.path, 'caisson.db'))
  const nothing = { blobs: [], entries: [], subject: undefined, artifactType: undefined }
  const put = (content: Buffer) =>
    store.putManifest(app, { digest: sha256(content), mediaType: 'application/x', bytes: content }, nothing, [])
  const small = Buffer.from('small')
  const large = Buffer.alloc(4 << 20, 'large')

  await put(small)
  await assert.rejects(put(large), { code: 'STORAGE_FULL' })
  assert.ok(await store.findManifest(app, { digest: sha256(small) }))
  assert.equal(await store.findManifest(app, { digest: sha256(large) }), undefined)
})

async function run(script: string) {
  const source = `import { openSqliteMetadata } from '${module}'\n${script}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], { stdio: 'inherit' })
  const [code, signal] = await once(child, 'exit')
  return { code: code as unknown, signal: signal as unknown }
}
