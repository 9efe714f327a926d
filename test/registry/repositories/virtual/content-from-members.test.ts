import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { RegistryError } from '../../../../registry/domain/errors.ts'
import { everyTag, tagsLike } from '../../../../registry/domain/tag-set.ts'
import { sha256 } from '../../../contracts/blob-store.ts'
import { descriptor, digestOfBytes, tinyImage, type TinyImage } from '../../../helpers/tiny-image.ts'
import { app, manifestOf, openMembers, push, readerWith, tag } from './members.ts'

const [one, two] = [tinyImage('one'), tinyImage('two')]
const unknown = { code: 'MANIFEST_BLOB_UNKNOWN' }

function indexOf(...entries: readonly TinyImage[]): TinyImage {
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const manifests = entries.map(({ manifest, mediaType }) => descriptor(mediaType, manifest))
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }))
  return { mediaType, manifest, digest: digestOfBytes(manifest), blobs: [] }
}

async function setUp() {
  const it = await openMembers()
  const all = it.virtualOf([it.hard(it.local), it.hard(it.prod), it.soft(it.hub), it.soft(it.quay)], {
    deployTo: it.local,
  })
  const target = all.pushTarget
  assert.ok(target)
  return { ...it, all, target }
}

test('blobs that another local member has are mounted', async () => {
  await using it = await setUp()
  await push(it.prod, app, one, 'v1')
  await it.target.putManifest(app, manifestOf(one), [tag('v1')])
  for (const blob of one.blobs) assert.ok(await it.local.blob(app, sha256(blob)))
  assert.deepEqual(it.hub.fetches, [])
})

test('blobs that a remote member has not got yet are fetched whole and mounted, or copied where nothing is kept', async () => {
  for (const which of ['hub', 'quay'] as const) {
    await using it = await setUp()
    it[which].publish(app, 'v1', one)
    await it.target.putManifest(app, manifestOf(one), [tag('v1')])
    for (const blob of one.blobs) {
      const kept = await it.local.blob(app, sha256(blob))
      assert.equal(await text((await kept?.open(undefined)) ?? Readable.from([])), blob.toString())
    }
  }
})

test('manifests that an index names are taken with their blobs, through several indexes', async () => {
  await using it = await setUp()
  it.hub.publish(app, 'v1', one)
  await push(it.prod, app, two, 'v1')
  const inner = indexOf(one, two)
  it.hub.publish(app, 'inner', inner)
  const outer = indexOf(inner, two)
  await it.target.putManifest(app, manifestOf(outer), [tag('v2')])
  for (const content of [one, two, inner, outer])
    assert.deepEqual(await it.local.tagsHolding(app, sha256(content.manifest)), ['v2'])
  assert.deepEqual(await it.local.tags(app, undefined, 10), { items: ['v2'], next: undefined })
})

test('a blob that stands in for a manifest in an index is taken', async () => {
  await using it = await setUp()
  const cached = tinyImage('build cache')
  it.hub.publish(app, 'v1', cached)
  const [, layer] = cached.blobs
  assert.ok(layer)
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests: [descriptor('a/b', layer)] }))
  await it.target.putManifest(app, { digest: sha256(manifest), mediaType, bytes: manifest }, [tag('cache')])
  assert.ok(await it.local.blob(app, sha256(layer)))
})

test('what nobody has is missing, and a push of what is all there asks nobody', async () => {
  await using it = await setUp()
  await assert.rejects(it.target.putManifest(app, manifestOf(one), [tag('v1')]), unknown)
  await assert.rejects(it.target.putManifest(app, manifestOf(indexOf(two)), [tag('v1')]), unknown)
  const asked = it.hub.calls.length
  await push(it.target, app, one, 'v1')
  await it.target.putManifest(app, manifestOf(indexOf(one)), [tag('v2')])
  assert.equal(it.hub.calls.length, asked)
})

test('a manifest that names very much that nobody has does not ask for all of it', async () => {
  await using it = await setUp()
  const digests = Array.from({ length: 50 }, (_, index) => digestOfBytes(`nobody has ${index}`))
  const layers = digests.map((digest) => ({ mediaType: 'a/b', digest, size: 1 }))
  const manifests = digests.map((digest) => ({ mediaType: 'a/b', digest, size: 1 }))
  await assert.rejects(it.target.putManifest(app, manifestOf(tinyImage('one', { layers })), [tag('v1')]), unknown)
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }))
  await assert.rejects(it.target.putManifest(app, { digest: sha256(bytes), mediaType, bytes }, [tag('v1')]), unknown)
  assert.ok(it.hub.fetches.length <= 4, String(it.hub.fetches))
})

test('what the pusher may not read is not taken', async () => {
  await using it = await setUp()
  await push(it.prod, app, one, 'secret')
  it.hub.publish(app, 'v1', two)
  const rights = {
    'read docker-local': everyTag,
    'read docker-prod': tagsLike(['dev-*']),
    'deploy docker-local': everyTag,
  }
  const target = it.all.seenBy(readerWith(rights)).pushTarget
  assert.ok(target)
  for (const content of [one, two, indexOf(one), indexOf(two)])
    await assert.rejects(target.putManifest(app, manifestOf(content), [tag('dev-1')]), unknown)
  assert.equal(await it.local.tags(app, undefined, 10), undefined)
  assert.deepEqual(it.hub.fetches, [])
})

test('what is in deployTo and may not be named there is named when it may be read elsewhere', async () => {
  await using it = await setUp()
  for (const target of [it.local, it.prod]) await push(target, app, one, 'secret')
  await push(it.local, app, two, 'secret-2')
  const rights = { 'read docker-prod': everyTag, 'deploy docker-local': tagsLike(['dev-*']) }
  const target = it.all.seenBy(readerWith(rights)).pushTarget
  assert.ok(target)
  const mayName = async () => false
  await target.putManifest(app, manifestOf(indexOf(one)), [tag('dev-1')], { mayName })
  await assert.rejects(target.putManifest(app, manifestOf(indexOf(two)), [tag('dev-2')], { mayName }), unknown)
})

test('a member that breaks off while its blob is fetched fails the push, and leaves no upload', async () => {
  for (const which of ['hub', 'quay'] as const) {
    await using it = await setUp()
    const remote = it[which]
    remote.publish(app, 'v1', one)
    const blob = remote.blob.bind(remote)
    const fail = async (): Promise<never> => {
      throw new RegistryError('UNAVAILABLE')
    }
    const broken = async function* () {
      yield Buffer.from('la')
      await fail()
    }
    Object.assign(remote, {
      blob: async (...args: Parameters<typeof blob>) => {
        const found = await blob(...args)
        const growth = found?.growth && { ...found.growth, kept: fail }
        return found && { ...found, growth, open: async () => Readable.from(broken()) }
      },
    })
    await assert.rejects(it.target.putManifest(app, manifestOf(one), [tag('v1')]), { code: 'UNAVAILABLE' })
    assert.deepEqual(await it.storage.metadata.listUploadOwners(), [])
    assert.equal(await it.local.manifest(app, { tag: tag('v1') }), undefined)
  }
})
