import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { encodedOf, parseDigest, type Digest } from '../../../registry/domain/digest.ts'
import { checkBlob, type BlobCheck } from '../../../registry/jobs/blob-check.ts'
import { Pace } from '../../../registry/jobs/pace.ts'
import { scrub, type Scrubbed } from '../../../registry/jobs/scrub.ts'
import { recoverUploads } from '../../../registry/jobs/upload-recovery.ts'
import { LocalRepository } from '../../../registry/repositories/local/local-repository.ts'
import { openFilesystemBlobs } from '../../../registry/storage/filesystem-blobs.ts'
import { filesystemQuarantine } from '../../../registry/storage/filesystem-quarantine.ts'
import { openSqliteMetadata } from '../../../registry/storage/sqlite-metadata.ts'
import { keep, sha256, streamOf, upload, commit } from '../../contracts/blob-store.ts'
import { ref } from '../../contracts/metadata-store.ts'
import { schema1Image } from '../../helpers/schema1-image.ts'
import { rot } from '../../helpers/rot.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { noTinyFilesystem, tinyFilesystem } from '../../helpers/tiny-filesystem.ts'

const app = ref('docker-local', 'app')
const nothingIsWrong = { wrong: [], wrongManifests: [], healed: [], orphans: [] }

test('what is as it was pushed is left alone', async () => {
  await using world = await openWorld()
  await world.push('hello')
  await world.putManifest('manifest', ['hello'])
  assert.deepEqual(await world.scrub(), { blobs: 1, bytes: 5, manifests: 1, ...nothingIsWrong })
  assert.ok(!existsSync(world.quarantined('hello')))
})

test('what was never fetched of a cached image is not missed', async () => {
  await using world = await openWorld()
  const hub = ref('docker-hub', 'app')
  const manifest = { digest: sha256('manifest'), mediaType: 'a/b', bytes: Buffer.from('manifest') }
  const contents = { blobs: [sha256('layer')], entries: [sha256('entry')], subject: undefined, artifactType: undefined }
  await world.metadata.cacheManifest(hub, manifest, contents, undefined)
  const id = await upload(world.blobs, 'lay')
  await world.metadata.addUpload(hub, id, { fetches: sha256('layer') })
  assert.deepEqual(await world.scrub(), { blobs: 0, bytes: 0, manifests: 1, ...nothingIsWrong })
})

test('wrong bytes go into quarantine, where they stay, and whoever misses them is told', async () => {
  await using world = await openWorld()
  await world.push('hello')
  await world.putManifest('manifest', ['hello'])
  await rot(world.file('hello'))
  const holders = [{ of: app, manifests: [{ digest: sha256('manifest'), tags: [] }] }]
  const wrong = { digest: sha256('hello'), size: 5, problem: 'wrong bytes', knownBefore: false, holders }
  assert.deepEqual(await world.scrub(), { blobs: 1, bytes: 5, manifests: 1, ...nothingIsWrong, wrong: [wrong] })
  assert.equal(await world.metadata.findBlob(app, sha256('hello')), undefined)
  assert.equal(await world.blobs.stat(sha256('hello')), undefined)
  assert.equal(await readFile(world.quarantined('hello'), 'utf8'), 'iello')

  const still = { ...wrong, problem: 'missing', knownBefore: true }
  assert.deepEqual((await world.scrub()).wrong, [still])
  await world.push('hello')
  assert.deepEqual((await world.scrub()).wrong, [])
  assert.equal(await readFile(world.quarantined('hello'), 'utf8'), 'iello')
})

test('a file that is gone, or was cut short, is missed', async () => {
  await using world = await openWorld()
  for (const content of ['gone', 'short']) await world.push(content)
  await rm(world.file('gone'))
  await writeFile(world.file('short'), 'sho')
  const { wrong } = await world.scrub()
  assert.deepEqual(
    new Map(wrong.map(({ digest, problem }) => [digest, problem])),
    new Map([
      [sha256('gone'), 'missing'],
      [sha256('short'), 'wrong bytes'],
    ]),
  )
})

test('what is no file is put aside like wrong bytes, and hinders nobody from looking at the rest', async () => {
  await using world = await openWorld()
  for (const content of ['directory', 'link', 'pipe', 'rotten', 'right']) await world.push(content)
  await rm(world.file('pipe'))
  execFileSync('mkfifo', [world.file('pipe')])
  await rm(world.file('directory'))
  await mkdir(world.file('directory'))
  await rename(world.file('link'), join(world.path, 'moved'))
  await symlink(join(world.path, 'moved'), world.file('link'))
  await rot(world.file('rotten'))
  const { wrong } = await world.scrub()
  assert.deepEqual(
    new Map(wrong.map(({ digest, problem }) => [digest, problem])),
    new Map([
      [sha256('directory'), 'unreadable'],
      [sha256('link'), 'unreadable'],
      [sha256('pipe'), 'unreadable'],
      [sha256('rotten'), 'wrong bytes'],
    ]),
  )
  for (const content of ['directory', 'link', 'pipe', 'rotten']) await world.push(content)
  assert.deepEqual((await world.scrub()).wrong, [])
})

test(
  'where the quarantine is on another file system, wrong bytes stay, out of use',
  { skip: noTinyFilesystem },
  async () => {
    await using disk = await tinyFilesystem(8)
    await using directory = await temporaryDirectory()
    for (const name of ['blobs', 'uploads']) {
      await mkdir(join(disk.path, name))
      await symlink(join(disk.path, name), join(directory.path, name))
    }
    await using world = await openWorld(directory.path)
    for (const content of ['one', 'two']) await world.push(content)
    for (const content of ['one', 'two']) await rot(world.file(content))
    for (let time = 0; time < 2; time++) assert.equal((await world.scrub()).wrong.length, 2)
    assert.equal(await world.metadata.findBlob(app, sha256('one')), undefined)
    for (const content of ['one', 'two']) await world.push(content)
    assert.deepEqual((await world.scrub()).wrong, [])
  },
)

test('a directory of blobs that somebody has removed is made again by a push', async () => {
  await using world = await openWorld()
  await world.push('hello')
  await rm(dirname(world.file('hello')), { recursive: true })
  await world.push('hello')
  assert.deepEqual((await world.scrub()).wrong, [])
})

test('a wrong size in the database is told, and the right bytes are kept', async () => {
  await using world = await openWorld()
  await world.push('hello')
  world.sql('update blobs set size = 6')
  assert.deepEqual(
    (await world.scrub()).wrong.map(({ problem }) => problem),
    ['wrong size'],
  )
  assert.ok(await world.metadata.findBlob(app, sha256('hello')))
})

test('a manifest that rotted in the database is told, and right when it is pushed again', async () => {
  await using world = await openWorld()
  await world.push('hello')
  await world.putManifest('manifest', ['hello'])
  world.sql("update manifests set bytes = cast('manifesT' as blob)")
  assert.deepEqual((await world.scrub()).wrongManifests, [{ of: app, digest: sha256('manifest') }])
  await world.putManifest('manifest', ['hello'])
  assert.deepEqual((await world.scrub()).wrongManifests, [])
})

test('a signed manifest of schema 1 is right when what was signed is', async () => {
  await using world = await openWorld()
  const { manifest: bytes, mediaType, digest } = schema1Image('old')
  const nothing = { blobs: [], entries: [], subject: undefined, artifactType: undefined }
  await world.metadata.putManifest(app, { digest: parseDigest(digest), mediaType, bytes }, nothing, [])
  assert.deepEqual((await world.scrub()).wrongManifests, [])
})

test('a file of which nothing is known is told, but not what a push is about to become', async () => {
  await using world = await openWorld()
  await keep(world.blobs, 'orphan')
  const id = await upload(world.blobs, 'pushed')
  await world.metadata.addUpload(app, id)
  await world.metadata.expectBlob(id, sha256('pushed'))
  await commit(world.blobs, id, sha256('pushed'))
  assert.deepEqual((await world.scrub()).orphans, [{ digest: sha256('orphan'), size: 6 }])
})

test('a disk that is not mounted is an error, and nothing is quarantined', async () => {
  await using world = await openWorld()
  await world.push('hello')
  await rm(join(world.path, 'blobs'), { recursive: true })
  await assert.rejects(world.scrub(), { code: 'ENOENT' })
  assert.ok(await world.metadata.findBlob(app, sha256('hello')))
})

test('a blob that is pushed again while it is read is not judged by what was read', async () => {
  await using world = await openWorld()
  await world.push('hello')
  await rot(world.file('hello'))
  const { problem } = await world.check('hello', () => world.push('hello'))
  assert.equal(problem, undefined)
  assert.deepEqual(await world.metadata.findBlob(app, sha256('hello')), { size: 5 })
  assert.equal(await readFile(world.file('hello'), 'utf8'), 'hello')
})

test('a blob that is deleted while it is read is not judged', async () => {
  await using world = await openWorld()
  await world.push('hello')
  await rot(world.file('hello'))
  const { problem } = await world.check('hello', async () => {
    await world.metadata.unlinkBlob(app, sha256('hello'))
    await world.metadata.condemnBlobs(new Date(Date.now() + 1000), 10)
    await world.blobs.delete([sha256('hello')])
    await world.metadata.forgetBlobs([sha256('hello')])
  })
  assert.equal(problem, undefined)
  assert.equal(await world.metadata.isBlobKnown(sha256('hello')), false)
})

test('a push that may put right bytes in the place at any moment keeps the wrong ones from being moved', async () => {
  await using world = await openWorld()
  await world.push('hello')
  await rot(world.file('hello'))
  const id = await upload(world.blobs, 'hello')
  await world.metadata.addUpload(app, id)
  await world.metadata.expectBlob(id, sha256('hello'))
  await world.scrub()
  assert.equal(await world.metadata.findBlob(app, sha256('hello')), undefined)
  assert.ok(existsSync(world.file('hello')))

  await world.metadata.removeUpload(id)
  await world.scrub()
  assert.ok(!existsSync(world.file('hello')))
})

test('killed before the wrong bytes were moved: nobody gets them, and the next scrub moves them', async () => {
  await using world = await openWorld()
  await world.push('hello')
  await rot(world.file('hello'))
  await world.metadata.judgeBlob(sha256('hello'), async () => 'quarantined')
  await recoverUploads(world, () => undefined)
  assert.equal(await world.metadata.findBlob(app, sha256('hello')), undefined)
  assert.deepEqual(
    (await world.scrub()).wrong.map(({ problem }) => problem),
    ['wrong bytes'],
  )
  assert.ok(!existsSync(world.file('hello')))
})

test('killed between the bytes of a push and its row: the next scrub sees that they are right', async () => {
  await using world = await openWorld()
  await world.push('hello')
  await rot(world.file('hello'))
  await world.scrub()
  const id = await upload(world.blobs, 'hello')
  await world.metadata.addUpload(app, id)
  await world.metadata.expectBlob(id, sha256('hello'))
  await commit(world.blobs, id, sha256('hello'))
  await recoverUploads(world, () => undefined)
  assert.deepEqual((await world.scrub()).healed, [sha256('hello')])
  assert.deepEqual(await world.metadata.findBlob(app, sha256('hello')), { size: 5 })
})

test('an upload that ended without a word does not make wrong bytes right', async () => {
  await using world = await openWorld()
  await world.push('hello')
  await rot(world.file('hello'))
  const id = await upload(world.blobs, 'something else')
  await world.metadata.addUpload(app, id)
  await world.metadata.expectBlob(id, sha256('hello'))
  await world.scrub()
  await world.blobs.discard(id)
  await recoverUploads(world, () => undefined)
  assert.equal(await world.metadata.isQuarantined(sha256('hello')), true)
  assert.deepEqual(await world.metadata.listUploadOwners(), [])
})

test('a pace waits for what was taken before, and makes nothing up for idle time', async () => {
  const waits: number[] = []
  let now = 0
  const wait = async (ms: number) => {
    waits.push(ms)
    now += ms
  }
  const pace = new Pace(1000, { now: () => now, wait })
  const { signal } = new AbortController()
  for (const bytes of [100, 50]) await pace.take(bytes, signal)
  now += 10_000
  await pace.take(100, signal)
  assert.deepEqual(waits, [100, 50, 100])
})

class World {
  readonly path: string
  readonly blobs: Awaited<ReturnType<typeof openFilesystemBlobs>>
  readonly metadata: Awaited<ReturnType<typeof openSqliteMetadata>>
  readonly #repository: LocalRepository
  readonly #end: AsyncDisposableStack

  constructor(path: string, blobs: World['blobs'], metadata: World['metadata'], end: AsyncDisposableStack) {
    this.path = path
    this.blobs = blobs
    this.metadata = metadata
    this.#repository = new LocalRepository(app.repository, { blobs, metadata })
    this.#end = end
  }

  async push(content: string): Promise<void> {
    const id = await this.#repository.begin(app.image, 'sha256')
    await this.#repository.append(app.image, id, 0, streamOf(content))
    await this.#repository.finish(app.image, id, sha256(content))
  }

  async putManifest(content: string, blobs: readonly string[]): Promise<void> {
    const manifest = { digest: sha256(content), mediaType: 'application/x', bytes: Buffer.from(content) }
    const contents = { blobs: blobs.map(sha256), entries: [], subject: undefined, artifactType: undefined }
    await this.metadata.putManifest(app, manifest, contents, [])
  }

  async scrub(): Promise<Scrubbed> {
    return await scrub(this.#checked(), new Pace(Infinity), new AbortController().signal)
  }

  /** Checks one blob; `meanwhile` happens when its bytes have been read. */
  async check(content: string, meanwhile: () => Promise<void>): Promise<BlobCheck> {
    const blob = { digest: sha256(content), size: content.length, state: 'kept' } as const
    const clock = { now: () => 0, wait: meanwhile }
    return await checkBlob(this.#checked(), blob, new Pace(1, clock), new AbortController().signal)
  }

  file(content: string): string {
    const path = this.blobs.path(sha256(content))
    assert.ok(path)
    return path
  }

  quarantined(content: string): string {
    const digest: Digest = sha256(content)
    return join(this.path, 'quarantine', `sha256-${encodedOf(digest)}`)
  }

  sql(statement: string): void {
    const database = new DatabaseSync(join(this.path, 'caisson.db'))
    database.exec(statement)
    database.close()
  }

  #checked() {
    const quarantine = filesystemQuarantine({ blobs: join(this.path, 'blobs'), uploads: join(this.path, 'uploads') })
    return { blobs: this.blobs, metadata: this.metadata, quarantine }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end.disposeAsync()
  }
}

async function openWorld(directory?: string): Promise<World> {
  await using end = new AsyncDisposableStack()
  const path = directory ?? end.use(await temporaryDirectory()).path
  const blobs = end.use(await openFilesystemBlobs({ blobs: join(path, 'blobs'), uploads: join(path, 'uploads') }))
  const metadata = end.use(await openSqliteMetadata(join(path, 'caisson.db')))
  return new World(path, blobs, metadata, end.move())
}
