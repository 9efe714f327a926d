import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { Digest } from '../../registry/domain/digest.ts'
import type { Manifest, ManifestContents } from '../../registry/domain/manifest.ts'
import {
  isRepositoryKey,
  isTag,
  parseImageName,
  parseTag,
  type RepositoryKey,
  type Tag,
} from '../../registry/domain/names.ts'
import { newUploadId } from '../../registry/domain/upload-id.ts'
import type { ImageRef, MetadataStore, ReferrerQuery } from '../../registry/storage/metadata-store.ts'
import { userNamed } from '../helpers/users.ts'
import { sha256, unknownUpload } from './blob-store.ts'

export interface MetadataStoreFixture extends AsyncDisposable {
  /** A store on the same data, as a restart, or another process beside, would open it. */
  open(): Promise<MetadataStore>
}

/** What every metadata store does. */
export function metadataStoreContract(setUp: () => Promise<MetadataStoreFixture>): void {
  const contract = (
    name: string,
    body: (store: MetadataStore, fixture: MetadataStoreFixture) => Promise<void>,
  ): void => {
    test(name, async () => {
      await using fixture = await setUp()
      await using store = await fixture.open()
      await body(store, fixture)
    })
  }

  contract('a manifest is found by its tags and its digest, byte for byte', async (store) => {
    await push(store, app, manifest('one'), ['v1', 'latest'])
    for (const reference of [tag('v1'), tag('latest'), digest('one')])
      assert.deepEqual(plain(await store.findManifest(app, reference)), plain(manifest('one')))
  })

  contract('a manifest without tags is found by its digest alone', async (store) => {
    await push(store, app, manifest('one'), [])
    assert.equal((await store.findManifest(app, digest('one')))?.digest, sha256('one'))
    assert.deepEqual(await store.listTags(app, undefined, 10), { items: [], next: undefined })
  })

  contract('a manifest is not found in another image, in another repository, or by another name', async (store) => {
    await push(store, app, manifest('one'), ['v1'])
    for (const reference of [tag('v1'), digest('one')]) {
      assert.equal(await store.findManifest(ref('docker-local', 'app2'), reference), undefined)
      assert.equal(await store.findManifest(ref('docker-prod', 'app'), reference), undefined)
    }
    assert.equal(await store.findManifest(app, tag('v2')), undefined)
    assert.equal(await store.findManifest(app, tag('V1')), undefined)
    assert.equal(await store.findManifest(app, digest('two')), undefined)
  })

  contract('a manifest is kept only when the image has every blob it names', async (store) => {
    await store.linkBlob(app, sha256('a'), 1)
    await store.linkBlob(ref('docker-local', 'other'), sha256('b'), 1)
    const missing = [sha256('b'), sha256('c')].sort()
    await assert.rejects(push(store, app, manifest('one'), ['v1'], { blobs: ['a', 'b', 'c'].map(sha256) }), {
      code: 'MANIFEST_BLOB_UNKNOWN',
      detail: { missing },
    })
    assert.equal(await store.findManifest(app, digest('one')), undefined)
    assert.equal(await store.findManifest(app, tag('v1')), undefined)
    assert.equal(await store.listTags(app, undefined, 10), undefined)

    await store.linkBlob(app, sha256('b'), 1)
    await store.linkBlob(app, sha256('c'), 1)
    await push(store, app, manifest('one'), ['v1'], { blobs: ['a', 'b', 'c'].map(sha256) })
    assert.ok(await store.findManifest(app, tag('v1')))
  })

  contract('an index is kept only when each entry is a manifest or a blob of the image', async (store) => {
    await push(store, app, manifest('one'), [])
    await push(store, ref('docker-local', 'other'), manifest('two'), [])
    await store.linkBlob(app, sha256('layer'), 1)
    await assert.rejects(
      push(store, app, manifest('index'), ['v1'], { entries: ['one', 'two', 'layer'].map(sha256) }),
      {
        code: 'MANIFEST_BLOB_UNKNOWN',
        detail: { missing: [sha256('two')] },
      },
    )
    await push(store, app, manifest('index'), ['v1'], { entries: ['one', 'layer'].map(sha256) })
    assert.equal((await store.findManifest(app, tag('v1')))?.digest, sha256('index'))
  })

  contract('a manifest does not stand in for a layer', async (store) => {
    await push(store, app, manifest('one'), [])
    await assert.rejects(push(store, app, manifest('two'), [], { blobs: [sha256('one')] }), {
      code: 'MANIFEST_BLOB_UNKNOWN',
    })
  })

  contract('the subject of a manifest may be missing', async (store) => {
    await push(store, app, manifest('sbom'), [], {
      subject: sha256('never pushed'),
      artifactType: 'application/x.sbom',
    })
    assert.ok(await store.findManifest(app, digest('sbom')))
  })

  contract('a tag moves to the manifest pushed last, and the one before stays', async (store) => {
    await push(store, app, manifest('one'), ['latest', 'v1'])
    await push(store, app, manifest('two'), ['latest', 'v2'])
    assert.equal((await store.findManifest(app, tag('latest')))?.digest, sha256('two'))
    assert.equal((await store.findManifest(app, tag('v1')))?.digest, sha256('one'))
    assert.deepEqual((await store.listTags(app, undefined, 10))?.items, ['latest', 'v1', 'v2'])
  })

  contract('a manifest pushed again just moves tags', async (store) => {
    await push(store, app, manifest('one'), ['latest'])
    await push(store, app, manifest('two'), ['latest'])
    await push(store, app, manifest('one'), ['latest'])
    assert.deepEqual(plain(await store.findManifest(app, tag('latest'))), plain(manifest('one')))
    assert.ok(await store.findManifest(app, digest('two')))
  })

  contract('bytes pushed under another media type have that from then on, and name what it says', async (store) => {
    for (const blob of ['a', 'b']) await store.linkBlob(app, sha256(blob), 1)
    await push(store, app, manifest('one', 'application/x'), ['v1'], { blobs: [sha256('a')] })
    await push(store, app, manifest('one', 'application/y'), [], { blobs: [sha256('b')] })
    assert.equal((await store.findManifest(app, tag('v1')))?.mediaType, 'application/y')
    assert.equal(await store.unlinkBlob(app, sha256('a')), true)
    await assert.rejects(store.unlinkBlob(app, sha256('b')), { code: 'DENIED' })
  })

  contract('a manifest may name hundreds of blobs', async (store) => {
    const blobs = Array.from({ length: 350 }, (_, index) => sha256(`layer ${index}`))
    for (const blob of blobs.slice(1)) await store.linkBlob(app, blob, 1)
    await assert.rejects(push(store, app, manifest('huge'), [], { blobs }), { detail: { missing: blobs.slice(0, 1) } })
    await store.linkBlob(app, sha256('layer 0'), 1)
    await push(store, app, manifest('huge'), [], { blobs: [...blobs, ...blobs] })
  })

  contract('a deleted tag leaves the manifest and its other tags', async (store) => {
    await push(store, app, manifest('one'), ['v1', 'latest'])
    assert.equal(await store.deleteManifest(app, tag('latest')), true)
    assert.equal(await store.findManifest(app, tag('latest')), undefined)
    assert.ok(await store.findManifest(app, tag('v1')))
    assert.ok(await store.findManifest(app, digest('one')))
    assert.equal(await store.deleteManifest(app, tag('latest')), false)
  })

  contract('a deleted manifest takes its tags with it', async (store) => {
    await push(store, app, manifest('one'), ['v1', 'latest'])
    await push(store, app, manifest('two'), ['v2'])
    assert.equal(await store.deleteManifest(app, digest('one')), true)
    assert.equal(await store.findManifest(app, digest('one')), undefined)
    assert.deepEqual((await store.listTags(app, undefined, 10))?.items, ['v2'])
    assert.equal(await store.deleteManifest(app, digest('one')), false)
    assert.equal(await store.deleteManifest(ref('docker-local', 'never'), digest('one')), false)
  })

  contract('a manifest in an index is deleted only after the index', async (store) => {
    await push(store, app, manifest('one'), ['v1'])
    await push(store, app, manifest('index'), ['all'], { entries: [sha256('one')] })
    await assert.rejects(store.deleteManifest(app, digest('one')), {
      code: 'DENIED',
      message: `the manifest is named by the manifest ${sha256('index')} of this image: delete that first`,
    })
    assert.ok(await store.findManifest(app, tag('v1')))
    assert.equal(await store.deleteManifest(app, tag('v1')), true)
    assert.equal(await store.deleteManifest(app, digest('index')), true)
    assert.equal(await store.deleteManifest(app, digest('one')), true)
  })

  contract('a manifest may be deleted while another has it as its subject', async (store) => {
    await push(store, app, manifest('one'), ['v1'])
    await push(store, app, manifest('sbom'), [], { subject: sha256('one') })
    assert.equal(await store.deleteManifest(app, digest('one')), true)
    assert.ok(await store.findManifest(app, digest('sbom')))
  })

  contract('a blob is found only through an image it is linked to', async (store) => {
    await store.linkBlob(app, sha256('a'), 7)
    await store.linkBlob(app, sha256('a'), 7)
    assert.deepEqual(await store.findBlob(app, sha256('a')), { size: 7 })
    assert.equal(await store.findBlob(ref('docker-prod', 'app'), sha256('a')), undefined)
    assert.equal(await store.findBlob(ref('docker-local', 'other'), sha256('a')), undefined)
    assert.equal(await store.findBlob(app, sha256('b')), undefined)
  })

  contract('a blob may be larger than 4 GiB', async (store) => {
    await store.linkBlob(app, sha256('a'), 2 ** 40 + 1)
    assert.deepEqual(await store.findBlob(app, sha256('a')), { size: 2 ** 40 + 1 })
  })

  contract('an unlinked blob is gone from that image alone', async (store) => {
    await store.linkBlob(app, sha256('a'), 7)
    await store.linkBlob(ref('docker-prod', 'app'), sha256('a'), 7)
    assert.equal(await store.unlinkBlob(app, sha256('a')), true)
    assert.equal(await store.findBlob(app, sha256('a')), undefined)
    assert.deepEqual(await store.findBlob(ref('docker-prod', 'app'), sha256('a')), { size: 7 })
    assert.equal(await store.unlinkBlob(app, sha256('a')), false)
    assert.equal(await store.unlinkBlob(ref('docker-local', 'never'), sha256('a')), false)
  })

  contract('a blob is unlinked only after the manifests that name it', async (store) => {
    for (const blob of ['a', 'b']) await store.linkBlob(app, sha256(blob), 7)
    await push(store, app, manifest('one'), [], { blobs: [sha256('a')] })
    await push(store, app, manifest('cache'), [], { entries: [sha256('b')] })
    await assert.rejects(store.unlinkBlob(app, sha256('a')), {
      code: 'DENIED',
      message: `the blob is named by the manifest ${sha256('one')} of this image: delete that first`,
    })
    await assert.rejects(store.unlinkBlob(app, sha256('b')), { code: 'DENIED' })
    await store.deleteManifest(app, digest('one'))
    assert.equal(await store.unlinkBlob(app, sha256('a')), true)
  })

  contract('tags of an image that was never pushed are undefined', async (store) => {
    await store.linkBlob(app, sha256('a'), 7)
    await store.addUpload(app, unknownUpload())
    assert.equal(await store.listTags(app, undefined, 10), undefined)
    assert.equal(await store.listTags(ref('docker-local', 'never'), undefined, 10), undefined)
  })

  contract('tags are listed in byte order, page by page', async (store) => {
    await push(store, app, manifest('one'), ['b', '_x', 'A', 'a', '1', 'Z', 'a-b'])
    assert.deepEqual(await store.listTags(app, undefined, 3), { items: ['1', 'A', 'Z'], next: 'Z' })
    assert.deepEqual(await store.listTags(app, 'Z', 4), { items: ['_x', 'a', 'a-b', 'b'], next: undefined })
    assert.deepEqual(await store.listTags(app, 'M', 2), { items: ['Z', '_x'], next: '_x' })
    assert.deepEqual(await store.listTags(app, 'zzz', 2), { items: [], next: undefined })
    assert.deepEqual(await store.listTags(app, undefined, 0), { items: [], next: undefined })
  })

  contract('pages of any size hold every tag once, in byte order', async (store) => {
    const name = fc.string({ unit: fc.constantFrom(...'aZ0_.-'), minLength: 1, maxLength: 4 }).filter(isTag)
    let images = 0
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(name, { minLength: 1 }), fc.integer({ min: 1, max: 5 }), async (names, limit) => {
        const of = ref('docker-local', `image${images++}`)
        await push(store, of, manifest('one'), names)
        assert.deepEqual(await allTags(store, of, limit), [...names].sort())
      }),
      { numRuns: 30 },
    )
  })

  contract('images are listed once they have a manifest, in byte order, page by page', async (store) => {
    for (const name of ['b', 'a/b', 'a0', 'a-b', 'a']) await push(store, ref('docker-local', name), manifest('one'), [])
    await push(store, ref('docker-prod', 'elsewhere'), manifest('one'), [])
    await store.linkBlob(ref('docker-local', 'blobs-only'), sha256('a'), 1)
    const docker = app.repository
    assert.deepEqual(await store.listImages(docker, undefined, 10), {
      items: ['a', 'a-b', 'a/b', 'a0', 'b'],
      next: undefined,
    })
    assert.deepEqual(await store.listImages(docker, undefined, 2), { items: ['a', 'a-b'], next: 'a-b' })
    assert.deepEqual(await store.listImages(docker, 'a-b', 2), { items: ['a/b', 'a0'], next: 'a0' })
    assert.deepEqual(await store.listImages(docker, 'b', 2), { items: [], next: undefined })

    await store.deleteManifest(ref('docker-local', 'a'), digest('one'))
    assert.deepEqual((await store.listImages(docker, undefined, 1)).items, ['a-b'])
  })

  contract('referrers are listed by their subject and their type, in the order of their digests', async (store) => {
    const sbom = { subject: sha256('one'), artifactType: 'application/x.sbom' }
    for (const name of ['a', 'b', 'c']) await push(store, app, manifest(name), [name], sbom)
    await push(store, app, manifest('typeless'), [], { subject: sha256('one') })
    await push(store, app, manifest('of another subject'), [], { ...sbom, subject: sha256('two') })
    await push(store, ref('docker-local', 'other'), manifest('elsewhere'), [], sbom)
    const sboms = ['a', 'b', 'c'].map(sha256).sort()
    assert.deepEqual(await allReferrers(store, sbom, 10), sboms)
    assert.deepEqual(await allReferrers(store, sbom, 1), sboms)
    const every = [...sboms, sha256('typeless')].sort()
    for (const limit of [1, 2, 4, 5])
      assert.deepEqual(await allReferrers(store, { ...sbom, artifactType: undefined }, limit), every)
  })

  contract('a referrer is told with its bytes, until it is deleted', async (store) => {
    const query = { subject: sha256('one'), artifactType: undefined, after: undefined, limit: 10 }
    const nothing = { items: [], next: undefined }
    assert.deepEqual(await store.listReferrers(app, query), nothing)
    await push(store, app, manifest('a'), [], { subject: sha256('one') })
    const { items } = await store.listReferrers(app, query)
    assert.deepEqual(
      items.map(({ artifactType, ...found }) => ({ ...plain(found), artifactType })),
      [{ ...plain(manifest('a')), artifactType: undefined }],
    )
    await store.deleteManifest(app, digest('a'))
    assert.deepEqual(await store.listReferrers(app, query), nothing)
  })

  contract('an upload belongs to one image until it is removed', async (store) => {
    const id = unknownUpload()
    await store.addUpload(app, id)
    assert.equal(await store.ownsUpload(app, id), true)
    assert.equal(await store.ownsUpload(app, unknownUpload()), false)
    assert.equal(await store.ownsUpload(ref('docker-local', 'other'), id), false)
    assert.equal(await store.ownsUpload(ref('docker-prod', 'app'), id), false)
    await store.removeUpload(id)
    await store.removeUpload(id)
    assert.equal(await store.ownsUpload(app, id), false)
  })

  contract('an image that was only begun, or refused, is there no more when nothing of it is', async (store) => {
    const [begun, refused] = [newUploadId(), newUploadId()]
    await store.addUpload(app, begun)
    assert.equal(await store.hasImage(app), true)
    await store.removeUpload(begun)
    assert.equal(await store.hasImage(app), false)
    await store.addUpload(app, refused)
    await store.releaseBlob(refused, sha256('refused'), 7)
    assert.equal(await store.hasImage(app), false)
    await store.linkBlob(app, sha256('a'), 7)
    assert.equal(await store.hasImage(app), true)
    await store.unlinkBlob(app, sha256('a'))
    assert.equal(await store.hasImage(app), false)
  })

  contract('a secret is made once and kept', async (store, fixture) => {
    assert.equal(await store.secret('key', async () => 'first'), 'first')
    const unexpected = async () => assert.fail('made again')
    assert.equal(await store.secret('key', unexpected), 'first')
    await using restarted = await fixture.open()
    assert.equal(await restarted.secret('key', unexpected), 'first')
    assert.equal(await restarted.secret('other', async () => 'second'), 'second')
  })

  contract('two processes that make a secret at once agree on it', async (store, fixture) => {
    await using other = await fixture.open()
    const made = Promise.withResolvers<string>()
    const both = [store, other].map((each, index) =>
      each.secret('key', async () => {
        if (index === 1) made.resolve('second')
        await made.promise
        return `${index}`
      }),
    )
    assert.equal(new Set(await Promise.all(both)).size, 1)
  })

  contract('two stores on the same data see and keep what both write at once', async (store, fixture) => {
    await using other = await fixture.open()
    const names = Array.from({ length: 20 }, (_, index) => `v${index}`)
    await Promise.all(names.map((name, index) => push(index % 2 ? store : other, app, manifest(name), [name])))
    for (const each of [store, other]) assert.deepEqual(await allTags(each, app, 7), [...names].sort())
  })

  contract('everything is there after a restart', async (store, fixture) => {
    const id = unknownUpload()
    await store.linkBlob(app, sha256('a'), 7)
    await push(store, app, manifest('one'), ['v1'], { blobs: [sha256('a')] })
    await store.addUpload(app, id)
    await store.addUser(userNamed('bob'))
    await store[Symbol.asyncDispose]()

    await using restarted = await fixture.open()
    assert.deepEqual(plain(await restarted.findManifest(app, tag('v1'))), plain(manifest('one')))
    assert.deepEqual(await restarted.findBlob(app, sha256('a')), { size: 7 })
    assert.equal(await restarted.ownsUpload(app, id), true)
    assert.deepEqual(await restarted.findUser('bob'), userNamed('bob'))
  })
}

export function ref(repository: string, image: string): ImageRef {
  return { repository: keyOf(repository), image: parseImageName(image) }
}

export function keyOf(text: string): RepositoryKey {
  assert.ok(isRepositoryKey(text))
  return text
}

const app = ref('docker-local', 'app')

/** Manifests here are any bytes: what they name is told beside them. */
function manifest(content: string, mediaType = 'application/vnd.example+json'): Manifest {
  return { digest: sha256(content), mediaType, bytes: Buffer.from(content) }
}

async function push(
  store: MetadataStore,
  of: ImageRef,
  pushed: Manifest,
  tags: readonly string[],
  contents: Partial<ManifestContents> = {},
): Promise<void> {
  const nothing = { blobs: [], entries: [], subject: undefined, artifactType: undefined }
  await store.putManifest(of, pushed, { ...nothing, ...contents }, tags.map(parseTag))
}

function tag(name: string): { readonly tag: Tag } {
  return { tag: parseTag(name) }
}

function digest(content: string): { readonly digest: Digest } {
  return { digest: sha256(content) }
}

/** Comparable, whichever kind of byte array a store returns. */
function plain(found: Manifest | undefined) {
  return found && { ...found, bytes: Buffer.from(found.bytes).toString('hex') }
}

async function allTags(store: MetadataStore, of: ImageRef, limit: number): Promise<readonly Tag[]> {
  const tags: Tag[] = []
  let after: Tag | undefined
  do {
    const page = await store.listTags(of, after, limit)
    assert.ok(page && page.items.length <= limit)
    tags.push(...page.items)
    after = page.next
  } while (after !== undefined)
  return tags
}

async function allReferrers(
  store: MetadataStore,
  query: Pick<ReferrerQuery, 'subject' | 'artifactType'>,
  limit: number,
): Promise<readonly Digest[]> {
  const digests: Digest[] = []
  let after: Digest | undefined
  do {
    const { items, next } = await store.listReferrers(app, { ...query, after, limit })
    assert.ok(items.length <= limit)
    digests.push(...items.map(({ digest }) => digest))
    after = next
  } while (after !== undefined)
  return digests
}
