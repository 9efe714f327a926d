import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { RegistryError } from '../../../../registry/domain/errors.ts'
import { parseImageName } from '../../../../registry/domain/names.ts'
import { everyTag, tagsLike } from '../../../../registry/domain/tag-set.ts'
import { sha256 } from '../../../contracts/blob-store.ts'
import { keyOf } from '../../../contracts/metadata-store.ts'
import { descriptor, ociManifest, tinyImage, type TinyImage } from '../../../helpers/tiny-image.ts'
import { app, manifestOf, openMembers, push, pushBlob, readerOf, readerWith, tag } from './members.ts'

const [one, two, three] = [tinyImage('one'), tinyImage('two'), tinyImage('three')]
const digestOf = ({ manifest }: TinyImage) => sha256(manifest)
const layerOf = ({ blobs: [, layer] }: TinyImage) => sha256(layer ?? '')
const unavailable = () => new RegistryError('UNAVAILABLE')

test('a tag is that of the first member that has it', async () => {
  await using it = await openMembers()
  it.hub.publish(app, 'v1', one)
  it.hub.publish(app, 'v2', two)
  await push(it.local, app, three, 'v1')
  const all = it.virtualOf([it.hard(it.local), it.soft(it.hub)])
  assert.equal((await all.manifest(app, { tag: tag('v1') }))?.digest, digestOf(three))
  assert.deepEqual(it.hub.calls, [])
  assert.equal((await all.manifest(app, { tag: tag('v2') }))?.digest, digestOf(two))
  assert.equal(await all.manifest(app, { tag: tag('v3') }), undefined)

  const other = it.virtualOf([it.soft(it.hub), it.hard(it.local)])
  assert.equal((await other.manifest(app, { tag: tag('v1') }))?.digest, digestOf(one))
})

test('resolved by newest, a tag is that of the member where it moved last', async () => {
  await using it = await openMembers()
  it.hub.publish(app, 'v1', one)
  await push(it.local, app, two, 'v1')
  const all = it.virtualOf([it.hard(it.local), it.soft(it.hub)], { resolveTagsBy: 'newest' })
  const found = async () => (await all.manifest(app, { tag: tag('v1') }))?.digest
  it.hub.tagTimes.set(`${app}:v1`, new Date('2001-01-01'))
  assert.equal(await found(), digestOf(two))
  it.hub.tagTimes.set(`${app}:v1`, new Date('2101-01-01'))
  assert.equal(await found(), digestOf(one))
  assert.deepEqual(await all.tagTime(app, tag('v1')), new Date('2101-01-01'))
  // One that does not know when comes after those that do.
  it.hub.tagTimes.clear()
  assert.equal(await found(), digestOf(two))
  it.hub.failure = unavailable()
  assert.equal(await found(), digestOf(two))
})

test('what has a digest is looked for here in all members before any asks elsewhere', async () => {
  await using it = await openMembers()
  it.hub.publish(app, 'v1', one)
  it.quay.publish(app, 'v1', two)
  await push(it.local, app, two, 'v1')
  const all = it.virtualOf([it.soft(it.hub), it.soft(it.quay), it.hard(it.local)])
  assert.equal((await all.manifest(app, { digest: digestOf(two) }))?.digest, digestOf(two))
  assert.ok(await all.blob(app, layerOf(two)))
  assert.deepEqual([...it.hub.fetches, ...it.quay.fetches], [])

  assert.equal(await all.manifest(app, { digest: digestOf(one) }, { from: 'here' }), undefined)
  assert.deepEqual(it.hub.fetches, [])
  const blob = await all.blob(app, layerOf(one))
  assert.equal(await text((await blob?.open(undefined)) ?? Readable.from([])), 'layer of one')
  assert.equal((await all.manifest(app, { digest: digestOf(one) }))?.digest, digestOf(one))
  assert.equal(it.quay.fetches.length, 0)
})

test('a member that fails does not block the others, and is logged once', async () => {
  await using it = await openMembers()
  it.quay.publish(app, 'v1', one)
  it.hub.failure = unavailable()
  const all = it.virtualOf([it.soft(it.hub), it.soft(it.quay)])
  assert.equal((await all.manifest(app, { tag: tag('v1') }))?.digest, digestOf(one))
  assert.equal((await all.manifest(app, { digest: digestOf(one) }))?.digest, digestOf(one))
  assert.deepEqual((await all.tags(app, undefined, 10))?.items, ['v1'])
  assert.deepEqual((await all.images(undefined, 10)).items, [app])
  assert.deepEqual(it.warnings, [{ repository: 'all', member: 'hub', err: it.hub.failure }])
})

test('what no member has is not said to be absent when one could not be asked', async () => {
  await using it = await openMembers()
  it.hub.failure = new RegistryError('TOOMANYREQUESTS')
  it.quay.failure = unavailable()
  const all = it.virtualOf([it.hard(it.local), it.soft(it.hub), it.soft(it.quay)])
  const failure = { code: 'TOOMANYREQUESTS' }
  await assert.rejects(all.manifest(app, { tag: tag('v1') }), failure)
  await assert.rejects(all.manifest(app, { digest: digestOf(one) }), failure)
  await assert.rejects(all.blob(app, layerOf(one)), failure)
  await assert.rejects(all.tags(app, undefined, 10), failure)
  assert.equal(await all.blob(app, layerOf(one), { from: 'here' }), undefined)
})

test('who can push is told to send what no member is known to have, also when one could not be asked', async () => {
  await using it = await openMembers()
  it.hub.failure = new RegistryError('TOOMANYREQUESTS')
  const all = it.virtualOf([it.hard(it.local), it.soft(it.hub)], { deployTo: it.local })
  const reads = { 'read docker-local': everyTag, 'read hub': everyTag }
  const [pusher, reader] = [{ ...reads, 'deploy docker-local': everyTag }, reads].map((rights) =>
    all.seenBy(readerWith(rights)),
  )
  const references = [{ tag: tag('v1') }, { digest: digestOf(one) }]
  const failure = { code: 'TOOMANYREQUESTS' }
  for (const reference of references) {
    assert.equal(await pusher?.manifest(app, reference, { use: 'rely' }), undefined)
    await assert.rejects(async () => pusher?.manifest(app, reference), failure)
    await assert.rejects(async () => reader?.manifest(app, reference, { use: 'rely' }), failure)
  }
  assert.equal(await pusher?.blob(app, layerOf(one), { use: 'rely' }), undefined)
  await assert.rejects(async () => reader?.blob(app, layerOf(one), { use: 'rely' }), failure)
})

test('where nobody is asked in the place of a member, its failure is the answer', async () => {
  await using it = await openMembers()
  await push(it.local, app, one, 'v1')
  it.hub.failure = unavailable()
  const all = it.virtualOf([it.hard(it.hub), it.hard(it.local)])
  await assert.rejects(all.manifest(app, { tag: tag('v1') }), { code: 'UNAVAILABLE' })
  assert.deepEqual(it.warnings, [])
  // What is here is known without the others.
  assert.equal((await all.manifest(app, { digest: digestOf(one) }))?.digest, digestOf(one))
})

test('a local member that fails is not replaced by a stranger', async () => {
  await using it = await openMembers()
  it.hub.publish(app, 'v1', one)
  const all = it.virtualOf([it.hard(it.local), it.soft(it.hub)])
  await it.storage.metadata[Symbol.asyncDispose]()
  await assert.rejects(all.manifest(app, { tag: tag('v1') }))
  assert.deepEqual(it.hub.fetches, [])
})

test('tags and images of all members are one list each', async () => {
  await using it = await openMembers()
  it.hub.publish(app, 'v1', one)
  it.hub.publish(app, 'B', one)
  it.hub.publish(parseImageName('library/nginx'), 'v1', one)
  await push(it.local, app, two, 'v1', 'a', 'c')
  await push(it.local, parseImageName('base'), two, 'v1')
  const all = it.virtualOf([it.hard(it.local), it.soft(it.hub)])
  assert.deepEqual(await all.tags(app, undefined, 3), { items: ['B', 'a', 'c'], next: 'c' })
  assert.deepEqual(await all.tags(app, 'c', 3), { items: ['v1'], next: undefined })
  assert.deepEqual(await all.tags(app, 'v1', 3), { items: [], next: undefined })
  assert.deepEqual(await all.tags(app, undefined, 0), { items: [], next: undefined })
  assert.equal(await all.tags(parseImageName('nobody/has'), undefined, 3), undefined)
  assert.deepEqual(await all.images(undefined, 2), { items: ['base', 'library/nginx'], next: 'library/nginx' })
  assert.deepEqual(await all.images('library/nginx', 2), { items: ['team/app'], next: undefined })
})

test('an image that has manifests and no tag is there', async () => {
  await using it = await openMembers()
  await push(it.local, app, one)
  const all = it.virtualOf([it.hard(it.local), it.soft(it.hub)])
  assert.deepEqual(await all.tags(app, undefined, 10), { items: [], next: undefined })
  // Who may read some tags alone does not know of it.
  const reader = readerWith({ 'read docker-local': tagsLike(['v*']), 'read hub': everyTag })
  assert.equal(await all.seenBy(reader).tags(app, undefined, 10), undefined)
})

test('referrers of all members are one list by digest', async () => {
  await using it = await openMembers()
  const subject = descriptor(ociManifest, one.manifest)
  const signatures = ['a', 'b', 'c'].map((name) => tinyImage(`signature ${name}`, { subject }))
  const [first, second, third] = signatures
  assert.ok(first && second && third)
  for (const target of [it.local, it.prod]) await push(target, app, one, 'v1')
  for (const each of [first, second]) await push(it.local, app, each)
  for (const each of [second, third]) await push(it.prod, app, each)
  const all = it.virtualOf([it.hard(it.local), it.hard(it.prod), it.soft(it.hub)])
  const query = { subject: digestOf(one), artifactType: undefined, after: undefined }
  const sorted = signatures.map(digestOf).sort()
  const page = await all.referrers(app, { ...query, limit: 2 })
  assert.deepEqual(
    page.items.map(({ digest }) => digest),
    sorted.slice(0, 2),
  )
  assert.equal(page.next, sorted[1])
  const rest = await all.referrers(app, { ...query, after: page.next, limit: 2 })
  assert.deepEqual([rest.items.map(({ digest }) => digest), rest.next], [sorted.slice(2), undefined])
})

test('of members that one may not read in, nothing is seen, and they are not asked', async () => {
  await using it = await openMembers()
  const subject = descriptor(ociManifest, one.manifest)
  it.hub.publish(app, 'v1', one)
  await push(it.local, app, two, 'v2')
  await push(it.prod, app, one, 'v1')
  await push(it.prod, app, tinyImage('signature', { subject }))
  const all = it.virtualOf([it.hard(it.prod), it.soft(it.hub), it.hard(it.local)])
  const seen = all.seenBy(readerOf('docker-local'))
  assert.equal(await seen.manifest(app, { tag: tag('v1') }), undefined)
  assert.equal(await seen.manifest(app, { digest: digestOf(one) }), undefined)
  assert.equal(await seen.blob(app, layerOf(one)), undefined)
  assert.equal(await seen.tagTime(app, tag('v1')), undefined)
  assert.deepEqual(await seen.tags(app, undefined, 10), { items: ['v2'], next: undefined })
  assert.deepEqual(await seen.tagsHolding(app, digestOf(one)), [])
  assert.deepEqual(await seen.holders(app, layerOf(two)), [{ repository: 'docker-local', image: app }])
  const query = { subject: digestOf(one), artifactType: undefined, after: undefined, limit: 10 }
  assert.deepEqual((await seen.referrers(app, query)).items, [])
  assert.equal((await all.referrers(app, query)).items.length, 1)
  assert.deepEqual(it.hub.calls, ['referrers'])
})

test('where some tags of a member may be read, the same tag of another opens nothing there', async () => {
  await using it = await openMembers()
  await push(it.local, app, one, 'secret')
  await push(it.local, app, two, 'dev-1')
  it.hub.publish(app, 'secret', three)
  const all = it.virtualOf([it.hard(it.local), it.soft(it.hub)])
  const seen = all.seenBy(readerWith({ 'read docker-local': tagsLike(['dev-*']), 'read hub': everyTag }))
  assert.equal((await seen.manifest(app, { tag: tag('secret') }))?.digest, digestOf(three))
  assert.equal(await seen.manifest(app, { digest: digestOf(one) }), undefined)
  assert.equal(await seen.blob(app, layerOf(one)), undefined)
  assert.deepEqual(await seen.tagsHolding(app, digestOf(one)), [])
  assert.deepEqual(await seen.tagsHolding(app, digestOf(two)), ['dev-1'])
  assert.deepEqual((await seen.tags(app, undefined, 10))?.items, ['dev-1', 'secret'])
  assert.equal((await seen.manifest(app, { digest: digestOf(two) }))?.digest, digestOf(two))
})

test('through several virtual repositories, the rights are asked for with all of them, and the namespace goes along', async () => {
  await using it = await openMembers()
  await push(it.local, app, one, 'v1')
  const seenBy: unknown[] = []
  const hub = Object.assign(it.hub, { seenBy: (reader?: unknown) => (seenBy.push(reader), it.hub) })
  const inner = it.virtualOf([it.hard(it.local), it.soft(hub)], { key: keyOf('inner') })
  const outer = it.virtualOf([it.soft(inner), it.hard(it.prod)], { key: keyOf('outer') })
  const reader = { ...readerOf('inner', 'docker-local'), namespace: 'docker.io' }
  assert.equal((await outer.seenBy(reader).manifest(app, { digest: digestOf(one) }))?.digest, digestOf(one))
  assert.deepEqual(
    new Set(reader.asked),
    new Set(['outer > inner', 'outer > docker-prod', 'outer > inner > docker-local', 'outer > inner > hub']),
  )
  assert.equal((seenBy[0] as typeof reader).namespace, 'docker.io')
})

test('who may push where pushes go and read nothing is told what is there, and no more', async () => {
  await using it = await openMembers()
  await push(it.local, app, one, 'v1')
  await push(it.prod, app, two, 'v2')
  const all = it.virtualOf([it.hard(it.local), it.hard(it.prod)], { deployTo: it.local })
  const seen = all.seenBy(readerWith({ 'deploy docker-local': everyTag, 'deploy docker-prod': everyTag }))
  assert.ok(await seen.manifest(app, { tag: tag('v1') }, { use: 'rely' }))
  assert.ok(await seen.blob(app, layerOf(one), { use: 'rely' }))
  assert.equal(await seen.manifest(app, { tag: tag('v1') }), undefined)
  assert.equal(await seen.manifest(app, { tag: tag('v2') }, { use: 'rely' }), undefined)
  assert.equal(await seen.blob(app, layerOf(two), { use: 'rely' }), undefined)
  assert.equal(await seen.tags(app, undefined, 10), undefined)
  assert.deepEqual((await seen.images(undefined, 10)).items, [])
})

test('without deployTo nothing is pushed or deleted', async () => {
  await using it = await openMembers()
  const all = it.virtualOf([it.hard(it.local)])
  assert.equal(all.pushTarget, undefined)
  assert.equal(all.removal, undefined)
})

test('what is pushed and deleted is pushed to and deleted in deployTo', async () => {
  await using it = await openMembers()
  await push(it.prod, app, one, 'v1')
  const all = it.virtualOf([it.hard(it.prod), it.hard(it.local)], { deployTo: it.local })
  const target = all.pushTarget
  assert.ok(target)
  await push(target, app, two, 'v1')
  await pushBlob(target, app, Buffer.from('spare'))
  assert.equal((await it.local.manifest(app, { tag: tag('v1') }))?.digest, manifestOf(two).digest)
  assert.equal(await all.removal?.deleteManifest(app, { tag: tag('v1') }), true)
  assert.equal(await all.removal?.deleteManifest(app, { tag: tag('v1') }), false)
  assert.equal((await all.manifest(app, { tag: tag('v1') }))?.digest, manifestOf(one).digest)
})
