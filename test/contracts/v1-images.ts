import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Digest } from '../../registry/domain/digest.ts'
import { parseImageName, parseTag, type ImageRef, type RepositoryKey } from '../../registry/domain/names.ts'
import { parseV1Image, v1ImageType, type V1Image, type V1ImageId } from '../../registry/domain/v1-image.ts'
import type { MetadataStore } from '../../registry/storage/metadata-store.ts'
import type { V1Push } from '../../registry/storage/v1-images.ts'
import { sha256 } from './blob-store.ts'
import { ref, type MetadataStoreFixture } from './metadata-store.ts'

export interface V1ImagesFixture extends MetadataStoreFixture {
  /** Sets the store's clock. */
  at(time: string): void
}

/** What every metadata store does with images of the V1 API. */
export function v1ImagesContract(setUp: () => Promise<V1ImagesFixture>): void {
  const contract = (name: string, body: (store: MetadataStore, fixture: V1ImagesFixture) => Promise<void>): void => {
    test(name, async () => {
      await using fixture = await setUp()
      fixture.at('2026-01-01')
      await using store = await fixture.open()
      await body(store, fixture)
    })
  }

  contract('an image is found by its id in every image name that has it, byte for byte', async (store) => {
    await put(store, app, base)
    await put(store, other, base)
    const found = await store.findV1Images(key, base.id)
    assert.deepEqual(
      found,
      [app, other].map((of) => ({
        of,
        id: base.id,
        digest: base.digest,
        parent: undefined,
        layer: layerOf(base),
        isLost: false,
      })),
    )
    assert.deepEqual(await store.findV1Images('docker-other' as RepositoryKey, base.id), [])
    const json = await store.findManifest(app, base)
    assert.deepEqual([json?.mediaType, text(json?.bytes)], [v1ImageType, text(base.json)])
  })

  contract('an image is complete only with its layer and its parent', async (store) => {
    await assert.rejects(store.putV1Image(app, base, layerOf(base)), { code: 'MANIFEST_BLOB_UNKNOWN' })
    await assert.rejects(put(store, app, top), {
      code: 'MANIFEST_BLOB_UNKNOWN',
      message: 'Image depends on a non existing parent',
    })
    assert.deepEqual(await store.findV1Images(key, base.id), [])
    await put(store, app, base)
    await put(store, app, top)
    await put(store, app, top)
    assert.deepEqual(ids(await store.v1Ancestry(app, top.id)), [top.id, base.id])
    assert.deepEqual(await store.v1Ancestry(other, top.id), [])
    assert.deepEqual(ids(await store.listV1Images(app, undefined, 1)), [base.id])
    assert.deepEqual(ids(await store.listV1Images(app, base.id, 9)), [top.id])
  })

  contract('an image of which only the JSON was there, by the V2 API, becomes one', async (store) => {
    const manifest = { digest: base.digest, mediaType: v1ImageType, bytes: base.json }
    const contents = { blobs: [], entries: [], subject: undefined, artifactType: undefined }
    await store.putManifest(app, manifest, contents, [parseTag('v1')])
    await put(store, app, base)
    await collect(store)
    assert.deepEqual(ids(await store.v1Ancestry(app, base.id)), [base.id])
    assert.deepEqual(await store.findBlob(app, layerOf(base).digest), { size: 5 })
  })

  contract('an id stands for one content in a repository, in whatever compression its layer is', async (store) => {
    await put(store, app, base)
    await store.linkBlob(other, sha256('another layer'), 5)
    const another = { ...layerOf(base), digest: sha256('another layer') }
    await assert.rejects(store.putV1Image(other, base, { ...another, tarsum: 'tarsum+sha256:00' }), {
      code: 'CONFLICT',
    })
    await assert.rejects(store.putV1Image(other, base, { ...another, tarsum: undefined }), { code: 'CONFLICT' })
    await store.putV1Image(other, base, another)
    const layers = (await store.findV1Images(key, base.id)).map(({ layer }) => layer)
    assert.deepEqual(layers, [layerOf(base), layerOf(base)], 'the bytes that came first are those of the image')
    const renamed = image('a', undefined, { comment: 'not what it was' })
    await store.linkBlob(other, layerOf(renamed).digest, 5)
    await assert.rejects(store.putV1Image(other, renamed, layerOf(renamed)), { code: 'CONFLICT' })
    const elsewhere = ref('docker-elsewhere', 'app')
    await put(store, elsewhere, renamed)
  })

  contract('an image name is given an image with its ancestors and layers by another one', async (store) => {
    await put(store, app, base)
    await put(store, app, top)
    assert.equal(await store.copyV1Images(other, app, top.id), true)
    assert.equal(await store.copyV1Images(other, app, top.id), true)
    assert.equal(await store.copyV1Images(other, app, image('f').id), false)
    assert.deepEqual(ids(await store.v1Ancestry(other, top.id)), [top.id, base.id])
    assert.deepEqual(await store.findBlob(other, layerOf(base).digest), { size: 5 })
  })

  contract('an image whose layer is lost is whole again with the same bytes, in every image name', async (store) => {
    await put(store, app, base)
    await put(store, other, base)
    await lose(store, layerOf(base).digest)
    assert.deepEqual(await lostIn(store, base.id), [true, true])
    assert.equal(await store.copyV1Images(ref('docker-local', 'new'), app, base.id), false)
    await put(store, app, base)
    assert.deepEqual(await lostIn(store, base.id), [false, false])
  })

  contract('an image whose layer is lost takes the same files in another compression', async (store) => {
    await put(store, app, base)
    await store.putV1Tag(app, parseTag('v1'), base.id)
    await lose(store, layerOf(base).digest)
    const packed = { ...layerOf(base), digest: sha256('packed otherwise'), checksum: sha256('its checksum') }
    await store.linkBlob(app, packed.digest, 7)
    await store.putV1Image(app, base, packed)
    const [image] = await store.findV1Images(key, base.id)
    assert.deepEqual([image?.layer, image?.isLost], [{ ...packed, size: 7 }, false])
    await collect(store)
    assert.equal((await store.findV1Images(key, base.id)).length, 1)
    assert.deepEqual(await store.findBlob(app, packed.digest), { size: 7 })
  })

  contract('a tag is on an image that the image name has', async (store) => {
    await put(store, app, base)
    await put(store, app, top)
    const [v1, v2] = [parseTag('v1'), parseTag('v2')]
    assert.equal(await store.putV1Tag(app, v1, image('f').id), false)
    assert.equal(await store.putV1Tag(app, v1, base.id), true)
    assert.equal(await store.putV1Tag(app, v2, top.id), true)
    assert.deepEqual(await store.listV1Tags(app), [
      { tag: v1, id: base.id },
      { tag: v2, id: top.id },
    ])
    assert.equal(await store.findV1Tag(app, v2), top.id)
    assert.equal(await store.findV1Tag(app, parseTag('v3')), undefined)
    await assert.rejects(
      store.putV1Tag(app, v1, top.id, () => false),
      { code: 'TAG_FIXED' },
    )
    assert.equal(await store.putV1Tag(app, v1, base.id, () => false), true)
    assert.equal(await store.putV1Tag(app, v1, top.id), true)
    assert.equal(await store.findV1Tag(app, v1), top.id)
  })

  contract('a tag holds its image with the ancestors, and what no tag reaches goes with its layers', async (store) => {
    await put(store, app, base)
    await put(store, app, top)
    await store.putV1Tag(app, parseTag('v1'), top.id)
    await collect(store)
    assert.deepEqual(ids(await store.v1Ancestry(app, top.id)), [top.id, base.id])
    assert.deepEqual(await store.tagsHolding(app, base.digest), ['v1'])
    assert.deepEqual(await store.tagsHolding(app, layerOf(base).digest), ['v1'])

    await store.putV1Tag(app, parseTag('v1'), base.id)
    await collect(store)
    assert.deepEqual(await store.findV1Images(key, top.id), [])
    assert.equal(await store.findBlob(app, layerOf(top).digest), undefined)

    await store.deleteManifest(app, { tag: parseTag('v1') })
    await collect(store)
    assert.equal(await store.hasImage(app), false)
    assert.equal(await store.repositoryBytes(key), 0)
  })

  contract('what a push has brought is kept until it ends, however long it takes', async (store, fixture) => {
    await store.announceV1(push, [base.id, top.id])
    await store.setPushedJson(push, base.id, base.json)
    await put(store, app, base)
    await store.linkBlob(app, layerOf(top).digest, 5)
    await store.setPushedJson(push, top.id, top.json)
    await store.setPushedLayer(push, top, { ...layerOf(top), tarsumV1: undefined, isTarsumCertain: true })
    await collect(store)
    assert.equal((await store.findV1Images(key, base.id)).length, 1)
    assert.deepEqual(await store.findBlob(app, layerOf(top).digest), { size: 5 })

    fixture.at('2026-01-02')
    await store.endV1Push(push)
    await collect(store, '2026-01-01T12:00')
    assert.equal((await store.findV1Images(key, base.id)).length, 1)
    await collect(store)
    assert.deepEqual(await store.findV1Images(key, base.id), [])
    assert.equal(await store.findBlob(app, layerOf(top).digest), undefined)
  })

  contract('a layer that another one takes the place of has its time of grace from then on', async (store, fixture) => {
    const send = async (content: string) => {
      await store.linkBlob(app, sha256(content), 5)
      await store.setPushedLayer(push, base, {
        ...layerOf(base),
        digest: sha256(content),
        tarsumV1: undefined,
        isTarsumCertain: true,
      })
    }
    const isThere = async (content: string) => (await store.findBlob(app, sha256(content))) !== undefined
    await store.announceV1(push, [base.id])
    await store.setPushedJson(push, base.id, base.json)
    await send('first')
    await collect(store)
    fixture.at('2026-01-02')
    await send('second')
    await collect(store, '2026-01-01T12:00')
    assert.equal(await isThere('first'), true)
    await collect(store)
    assert.deepEqual([await isThere('first'), await isThere('second')], [false, true])

    await store.setPushedJson(push, base.id, image('a', undefined, { comment: 'another' }).json)
    await collect(store)
    assert.equal(await isThere('second'), false)
  })

  contract(
    'a layer that a push has put another one in the place of, or begun anew without, is garbage',
    async (store) => {
      const [first, second] = [sha256('first'), sha256('second')]
      const changed = image('a', undefined, { comment: 'not what it was' })
      await store.announceV1(push, [base.id])
      await store.setPushedJson(push, base.id, base.json)
      for (const digest of [first, second]) {
        await store.linkBlob(app, digest, 5)
        await store.setPushedLayer(push, base, { ...layerOf(base), digest, tarsumV1: undefined, isTarsumCertain: true })
        await collect(store)
        assert.deepEqual(await store.findBlob(app, digest), { size: 5 })
      }
      assert.equal(await store.findBlob(app, first), undefined)

      await store.setPushedJson(push, base.id, changed.json)
      await collect(store)
      assert.equal(await store.findBlob(app, second), undefined)
    },
  )

  contract(
    'a push that nobody goes on with is forgotten, and what it has brought becomes garbage',
    async (store, fixture) => {
      await store.announceV1(push, [base.id, top.id])
      await put(store, app, base)
      fixture.at('2026-01-03')
      await store.setPushedJson(push, top.id, top.json)
      assert.equal(await store.expireV1Pushes(new Date('2026-01-02'), 10), 0, 'a part of it is gone on with')
      await collect(store)
      assert.equal((await store.findV1Images(key, base.id)).length, 1)
      assert.equal(await store.expireV1Pushes(new Date('2026-01-04'), 1), 1)
      assert.equal(await store.expireV1Pushes(new Date('2026-01-04'), 10), 1)
      assert.equal(await store.expireV1Pushes(new Date('2026-01-04'), 10), 0)
      for (const { id } of [base, top]) assert.deepEqual(await store.findPushedV1(key, id, push.principal), [])
      await collect(store)
      assert.deepEqual(await store.findV1Images(key, base.id), [])
    },
  )

  contract(
    'an image comes in step by step, and only where it has been announced by the same principal',
    async (store, fixture) => {
      const layer = { ...layerOf(base), tarsumV1: 'tarsum.v1+sha256:01', isTarsumCertain: true }
      assert.equal(await store.setPushedJson(push, base.id, base.json), false)
      await store.announceV1(push, [base.id])
      assert.equal(await store.setPushedLayer(push, base, layer), false)
      assert.equal(await store.setPushedJson(push, base.id, base.json), true)
      assert.equal(await store.setPushedLayer(push, base, layer), true)
      assert.equal(await store.setPushedJson({ ...push, principal: 'bob' }, base.id, base.json), false)
      assert.deepEqual(await store.findPushedV1(key, base.id, 'bob'), [])

      // Announced again, or with the same JSON once more, it goes on.
      await store.announceV1(push, [base.id])
      await store.setPushedJson(push, base.id, base.json)
      await using again = await fixture.open()
      const [found] = await again.findPushedV1(key, base.id, push.principal)
      assert.deepEqual(found?.push, push)
      assert.deepEqual(found?.layer, layer)
      assert.equal(text(found?.json), text(base.json))

      const changed = image('a', undefined, { comment: 'not what it was' })
      await store.setPushedJson(push, base.id, changed.json)
      assert.equal(await store.setPushedLayer(push, base, layer), false)
      assert.equal((await store.findPushedV1(key, base.id, push.principal))[0]?.layer, undefined)
    },
  )

  contract('the image name that an image was announced for last comes first', async (store, fixture) => {
    await store.announceV1(push, [base.id])
    fixture.at('2026-01-02')
    await store.announceV1({ ...push, ...other }, [base.id])
    const found = await store.findPushedV1(key, base.id, push.principal)
    assert.deepEqual(
      found.map(({ push: { image } }) => image),
      [other.image, app.image],
    )
  })
}

const key = 'docker-v1' as RepositoryKey
const app = { repository: key, image: parseImageName('acme/app') }
const other = { repository: key, image: parseImageName('acme/other') }
const push: V1Push = { ...app, principal: 'alice' }

function image(digit: string, parent?: V1Image, more: object = {}): V1Image {
  const fields = { id: digit.repeat(64), ...(parent && { parent: parent.id }), ...more }
  return parseV1Image(Buffer.from(JSON.stringify(fields)))
}

const base = image('a')
const top = image('b', base)

function layerOf({ id, digest }: V1Image) {
  const content = `layer of ${id} ${digest}`
  return { digest: sha256(content), size: 5, checksum: sha256(`checksum of ${id}`), tarsum: `tarsum+sha256:${id}` }
}

async function put(store: MetadataStore, of: ImageRef, image: V1Image): Promise<void> {
  await store.linkBlob(of, layerOf(image).digest, 5)
  await store.putV1Image(of, image, layerOf(image))
}

async function lose(store: MetadataStore, digest: Digest): Promise<void> {
  assert.equal(await store.judgeBlob(digest, async () => 'quarantined'), true)
}

/** Of each image name that has it. */
async function lostIn(store: MetadataStore, id: V1ImageId): Promise<readonly boolean[]> {
  return (await store.findV1Images(key, id)).map(({ isLost }) => isLost)
}

/** Everything that has been garbage since `since` or longer. */
async function collect(store: MetadataStore, since = '2099-01-01'): Promise<void> {
  const due = new Date(since)
  while ((await store.collectManifests(key, due, 50)).reviewed > 0) continue
  while ((await store.collectLinks(due, 50)).reviewed > 0) continue
}

function ids(images: readonly { readonly id: V1ImageId }[]): readonly V1ImageId[] {
  return images.map(({ id }) => id)
}

function text(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString()
}
