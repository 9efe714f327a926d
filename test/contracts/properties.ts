import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTag, type ImageRef } from '../../registry/domain/names.ts'
import { parsePropertyName, parsePropertyValue } from '../../registry/domain/property.ts'
import type { MetadataStore } from '../../registry/storage/metadata-store.ts'
import { sha256 } from './blob-store.ts'
import { ref, type MetadataStoreFixture } from './metadata-store.ts'

/** What every metadata store does about what people say of images. */
export function propertiesContract(setUp: () => Promise<MetadataStoreFixture>): void {
  const contract = (name: string, body: (store: MetadataStore) => Promise<void>): void => {
    test(name, async () => {
      await using fixture = await setUp()
      await using store = await fixture.open()
      await body(store)
    })
  }

  contract('properties are said of an image and of each of its tags, in the order of their names', async (store) => {
    await push(store, app, 'one', 'v1', 'v2')
    assert.equal(await set(store, undefined, 'qa', 'passed', 'twice', 'passed'), true)
    assert.equal(await set(store, undefined, 'docker.description', 'An application'), true)
    assert.equal(await set(store, v1, 'qa', 'failed'), true)
    assert.deepEqual(await store.propertiesOf(app, undefined), [
      { name: 'docker.description', values: ['An application'] },
      { name: 'qa', values: ['passed', 'twice'] },
    ])
    assert.deepEqual(await store.propertiesOf(app, v1), [{ name: 'qa', values: ['failed'] }])
    assert.deepEqual(await store.propertiesOf(app, v2), [])
  })

  contract('what is set again takes the place of what was said', async (store) => {
    await push(store, app, 'one', 'v1')
    for (const tag of [undefined, v1]) {
      await set(store, tag, 'qa', 'failed', 'again')
      await set(store, tag, 'qa', 'passed')
      assert.deepEqual(await store.propertiesOf(app, tag), [{ name: 'qa', values: ['passed'] }])
    }
  })

  contract('a property is taken away, once', async (store) => {
    await push(store, app, 'one', 'v1')
    for (const tag of [undefined, v1]) {
      await set(store, tag, 'qa', 'passed', 'twice')
      await set(store, tag, 'other', 'stays')
      assert.equal(await store.removeProperty(app, tag, parsePropertyName('qa')), true)
      assert.equal(await store.removeProperty(app, tag, parsePropertyName('qa')), false)
      assert.deepEqual(await store.propertiesOf(app, tag), [{ name: 'other', values: ['stays'] }])
    }
  })

  contract('nothing is said of what is not there', async (store) => {
    await push(store, app, 'one', 'v1')
    assert.equal(await set(store, v2, 'qa', 'passed'), false)
    assert.equal(await store.propertiesOf(app, v2), undefined)
    assert.equal(await store.removeProperty(app, v2, parsePropertyName('qa')), false)
    const other = ref('docker-local', 'other')
    assert.equal(await store.setProperty(other, undefined, parsePropertyName('qa'), [parsePropertyValue('x')]), false)
    assert.equal(await store.propertiesOf(other, undefined), undefined)
    assert.deepEqual(await store.propertiesOf(app, undefined), [])
  })

  contract('what was said of a tag goes when it moves, and stays when it is pushed again', async (store) => {
    await push(store, app, 'one', 'v1', 'v2')
    await set(store, v1, 'qa', 'passed')
    await set(store, v2, 'qa', 'passed')
    await set(store, undefined, 'qa', 'passed')
    await push(store, app, 'one', 'v1')
    assert.equal((await store.propertiesOf(app, v1))?.length, 1)
    await push(store, app, 'two', 'v1')
    assert.deepEqual(await store.propertiesOf(app, v1), [])
    assert.equal((await store.propertiesOf(app, v2))?.length, 1)
    assert.equal((await store.propertiesOf(app, undefined))?.length, 1)
  })

  contract('what was said of a tag goes with it', async (store) => {
    await push(store, app, 'one', 'v1')
    await push(store, app, 'two', 'v2')
    for (const tag of [v1, v2, undefined]) await set(store, tag, 'qa', 'passed')
    await store.deleteManifest(app, { tag: v1 })
    await store.deleteManifest(app, { digest: sha256('two') })
    assert.equal(await store.propertiesOf(app, v1), undefined)
    assert.equal(await store.propertiesOf(app, v2), undefined)
    await push(store, app, 'one', 'v1', 'v2')
    for (const tag of [v1, v2]) assert.deepEqual(await store.propertiesOf(app, tag), [])
    assert.equal((await store.propertiesOf(app, undefined))?.length, 1)
  })

  contract('what was said of an image goes with it, however it goes', async (store) => {
    const ways = [
      async () => assert.equal(await store.deleteImage(app), true),
      async () => assert.equal(await store.deleteImages(app.repository), 1),
      async () => assert.equal(await store.deleteManifest(app, { digest: sha256('one') }), true),
    ]
    for (const remove of ways) {
      await push(store, app, 'one', 'v1')
      for (const tag of [v1, undefined]) await set(store, tag, 'qa', 'passed')
      await remove()
      assert.equal(await store.propertiesOf(app, undefined), undefined)
      while ((await store.clearDeletedImages(10)).reviewed > 0) continue
      await push(store, app, 'one', 'v1')
      for (const tag of [v1, undefined]) assert.deepEqual(await store.propertiesOf(app, tag), [])
    }
  })

  contract('what was said of a cached image goes with it when it goes unused', async (store) => {
    const manifest = { digest: sha256('one'), mediaType: 'a/b', bytes: Buffer.from('one') }
    await store.cacheManifest(app, manifest, nothing, v1)
    for (const tag of [v1, undefined]) await set(store, tag, 'qa', 'passed')
    assert.equal((await store.removeUnused(app.repository, new Date('2999-01-01'), 10)).length, 1)
    await store.cacheManifest(app, manifest, nothing, v1)
    for (const tag of [v1, undefined]) assert.deepEqual(await store.propertiesOf(app, tag), [])
  })
}

const app = ref('docker-local', 'app')
const [v1, v2] = [parseTag('v1'), parseTag('v2')]
const nothing = { blobs: [], entries: [], subject: undefined, artifactType: undefined }

async function push(store: MetadataStore, of: ImageRef, content: string, ...tags: readonly string[]): Promise<void> {
  const manifest = { digest: sha256(content), mediaType: 'a/b', bytes: Buffer.from(content) }
  await store.putManifest(of, manifest, nothing, tags.map(parseTag))
}

async function set(
  store: MetadataStore,
  tag: typeof v1 | undefined,
  name: string,
  ...values: readonly string[]
): Promise<boolean> {
  return store.setProperty(app, tag, parsePropertyName(name), values.map(parsePropertyValue))
}
