import assert from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import { test } from 'node:test'
import pino from 'pino'
import { parseImageName, parseTag, type Tag } from '../../../../registry/domain/names.ts'
import { everyTag } from '../../../../registry/domain/tag-set.ts'
import { parseV1Image } from '../../../../registry/domain/v1-image.ts'
import { LocalRepository } from '../../../../registry/repositories/local/local-repository.ts'
import { Migrations, type Migrator, type Wish } from '../../../../registry/repositories/migration/migrations.ts'
import { schema1Key } from '../../../../registry/repositories/schema1/signing-key.ts'
import { sha256, streamOf } from '../../../contracts/blob-store.ts'
import { keyOf, ref } from '../../../contracts/metadata-store.ts'
import { temporaryStorage } from '../storage.ts'

const of = ref('docker-v1', 'team/app')
const tags = ['1', '2', '3'].map(parseTag)

/** A V1 repository with one image and three tags on it. */
async function setUp() {
  const storage = await temporaryStorage()
  const { blobs, metadata } = storage
  const source = new LocalRepository(of.repository, storage)
  const layer = gzipSync('a layer')
  const digest = sha256(layer)
  const upload = await source.begin(of.image, 'sha256')
  await source.append(of.image, upload, 0, streamOf(layer))
  await source.finish(of.image, upload, digest)
  const image = parseV1Image(Buffer.from(JSON.stringify({ id: '0123456789abcdef' })))
  await metadata.putV1Image(of, image, { digest, checksum: digest, tarsum: undefined })
  for (const tag of tags) await metadata.putV1Tag(of, tag, image.id)

  const open = () =>
    new Migrations(
      { blobs, metadata, schema1Key: schema1Key(metadata), now: () => new Date() },
      pino({ level: 'silent' }),
    )
  const target = new LocalRepository(keyOf('docker-local'), storage)
  const wish: Wish = {
    source: of.repository,
    target: { repository: target, pushTarget: target },
    format: 'schema2',
    library: 'keep',
  }
  return { open, wish, target, [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose]() }
}

function everybody(told: (tag: Tag) => void = () => undefined): Migrator {
  const all = async () => everyTag
  return { name: 'admin', readable: all, deployable: all, movable: all, told: (_, tag) => told(tag) }
}

test('a migration that ends with the registry is broken off between two tags, and begun again it does the rest', async () => {
  await using it = await setUp()
  const first = it.open()
  const closed: Promise<void>[] = []
  const { migration, ended } = first.begin(
    it.wish,
    everybody(() => closed.push(first.close())),
  )
  await ended
  await Promise.all(closed)
  assert.deepEqual([migration.state, migration.total, migration.tags.length], ['broken off', 3, 1])
  assert.ok(migration.endedAt)

  const again = it.open().begin(it.wish, everybody())
  await again.ended
  assert.equal(again.migration.state, 'done')
  assert.deepEqual(
    again.migration.tags.map(({ outcome }) => outcome),
    ['there already', 'migrated', 'migrated'],
  )
  assert.equal((await it.target.tags(parseImageName('team/app'), undefined, 10))?.items.length, 3)
})

test('while one runs, no second one runs from the same repository to the same', async () => {
  await using it = await setUp()
  const migrations = it.open()
  const { ended } = migrations.begin(it.wish, everybody())
  assert.throws(() => migrations.begin(it.wish, everybody()), { code: 'CONFLICT' })
  await ended
  await migrations.begin(it.wish, everybody()).ended
})

test('of those that have ended the last fifty are told of, the newest first', async () => {
  await using it = await setUp()
  const migrations = it.open()
  const ids: string[] = []
  for (let count = 0; count < 52; count++) {
    const { migration, ended } = migrations.begin({ ...it.wish, tag: parseTag('1'), image: of.image }, everybody())
    ids.push(migration.id)
    await ended
  }
  assert.deepEqual(
    migrations.list(of.repository).map(({ id }) => id),
    ids.slice(2).toReversed(),
  )
  assert.equal(migrations.find(ids[0] ?? ''), undefined)
})
