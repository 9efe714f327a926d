import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ImageName } from '../../registry/domain/names.ts'
import { parseTag } from '../../registry/domain/names.ts'
import { descriptionProperty, parsePropertyValue } from '../../registry/domain/property.ts'
import type { MetadataStore } from '../../registry/storage/metadata-store.ts'
import { sha256 } from './blob-store.ts'
import { keyOf, ref, type MetadataStoreFixture } from './metadata-store.ts'

/** How every metadata store finds images. */
export function imageSearchContract(setUp: () => Promise<MetadataStoreFixture>): void {
  const contract = (name: string, body: (store: MetadataStore) => Promise<void>): void => {
    test(name, async () => {
      await using fixture = await setUp()
      await using store = await fixture.open()
      await body(store)
    })
  }

  contract('images are found by a part of their name in any case, in the order of their names', async (store) => {
    for (const image of ['library/ubuntu', 'jfrog/ubuntu-slim', 'debian']) await push(store, image)
    await push(store, 'ubuntu', 'docker-prod')
    assert.deepEqual(await found(store, 'Ubun'), ['jfrog/ubuntu-slim', 'library/ubuntu'])
    assert.deepEqual(await found(store, ''), ['debian', 'jfrog/ubuntu-slim', 'library/ubuntu'])
    assert.deepEqual(await found(store, 'y/u'), ['library/ubuntu'])
    assert.deepEqual(await found(store, 'fedora'), [])
  })

  contract('images are found by a part of their description, and told with it', async (store) => {
    await push(store, 'debian')
    await push(store, 'alpine')
    await describe(store, 'debian', 'The Universal operating system. 100%_Ä')
    for (const text of ['universal', 'OPERATING system', '%_', 'Ä'])
      assert.deepEqual((await store.searchImages(local, text, undefined)).items, [
        { image: 'debian', description: 'The Universal operating system. 100%_Ä' },
      ])
    assert.deepEqual((await store.searchImages(local, 'alp', undefined)).items, [{ image: 'alpine', description: '' }])
  })

  contract('what stands for others in a pattern stands for itself', async (store) => {
    await push(store, 'a_b')
    await push(store, 'a-b')
    assert.deepEqual(await found(store, 'a_b'), ['a_b'])
    for (const text of ['%', 'a%b', '\\', '\\_', "'", '*']) assert.deepEqual(await found(store, text), [], text)
  })

  contract('an image without a tag, or that has been deleted, is not found', async (store) => {
    await push(store, 'untagged')
    await push(store, 'deleted')
    await describe(store, 'deleted', 'untagged once')
    await store.deleteManifest(ref(local, 'untagged'), { tag: parseTag('v1') })
    await store.deleteImage(ref(local, 'deleted'))
    await store.linkBlob(ref(local, 'only/untagged/blobs'), sha256('a'), 1)
    assert.deepEqual(await found(store, 'e'), [])
    assert.deepEqual((await store.searchImages(keyOf('docker-local'), 'once', undefined)).items, [])
  })

  contract('many images are looked through in parts', async (store) => {
    const names = Array.from({ length: 210 }, (_, index) => `app-${String(index).padStart(3, '0')}`)
    for (const name of names) await push(store, name)
    const first = await store.searchImages(local, '209', undefined)
    assert.deepEqual(first.items, [])
    assert.ok(first.next !== undefined)
    assert.deepEqual(await found(store, '209'), ['app-209'])
    assert.deepEqual(await found(store, 'APP'), names)
  })
}

const local = keyOf('docker-local')
const nothing = { blobs: [], entries: [], subject: undefined, artifactType: undefined }

async function push(store: MetadataStore, image: string, repository: string = local): Promise<void> {
  const manifest = { digest: sha256(image), mediaType: 'a/b', bytes: Buffer.from(image) }
  await store.putManifest(ref(repository, image), manifest, nothing, [parseTag('v1')])
}

async function describe(store: MetadataStore, image: string, text: string): Promise<void> {
  await store.setProperty(ref(local, image), undefined, descriptionProperty, [parsePropertyValue(text)])
}

async function found(store: MetadataStore, text: string): Promise<readonly ImageName[]> {
  const images: ImageName[] = []
  let after: ImageName | undefined
  do {
    const { items, next } = await store.searchImages(local, text, after)
    images.push(...items.map(({ image }) => image))
    after = next
  } while (after !== undefined)
  return images
}
