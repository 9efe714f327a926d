import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MetadataStore } from '../../registry/storage/metadata-store.ts'
import { sha256 } from './blob-store.ts'
import { ref, type MetadataStoreFixture } from './metadata-store.ts'

/** What every metadata store knows of layers. */
export function layerContentsContract(setUp: () => Promise<MetadataStoreFixture>): void {
  const contract = (name: string, body: (store: MetadataStore) => Promise<void>): void => {
    test(name, async () => {
      await using fixture = await setUp()
      await using store = await fixture.open()
      await body(store)
    })
  }
  const [digest, diffId, inGzip] = [sha256('packed'), sha256('plain'), sha256('in gzip')]

  contract('what was found in a layer is known as long as the layer is kept', async (store) => {
    await store.linkBlob(ref('docker-local', 'app'), digest, 1)
    assert.equal(await store.findLayerContent(digest), undefined)
    await store.noteLayerContent({ digest, diffId, packing: 'xz', inGzip: undefined })
    assert.deepEqual(await store.findLayerContent(digest), { digest, diffId, packing: 'xz', inGzip: undefined })
    await store.noteLayerContent({ digest, diffId, packing: 'xz', inGzip })
    assert.deepEqual(await store.findLayerContent(digest), { digest, diffId, packing: 'xz', inGzip })

    await store.unlinkBlob(ref('docker-local', 'app'), digest)
    await store.condemnBlobs(new Date('2099-01-01'), 10)
    await store.forgetBlobs([digest])
    assert.equal(await store.findLayerContent(digest), undefined)
  })

  contract('of a layer that is not kept nothing is noted', async (store) => {
    await store.noteLayerContent({ digest, diffId, packing: 'gzip', inGzip: undefined })
    assert.equal(await store.findLayerContent(digest), undefined)
  })
}
