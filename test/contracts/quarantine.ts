import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BlobStore } from '../../registry/storage/blob-store.ts'
import type { Quarantine } from '../../registry/storage/quarantine.ts'
import { allOf, keep, read, sha256, upload, commit } from './blob-store.ts'

export interface QuarantineFixture extends AsyncDisposable {
  readonly blobs: BlobStore
  readonly quarantine: Quarantine
  /** What has been put aside, as text. */
  readonly aside: () => Promise<readonly string[]>
  /** Whatever else is kept or held open when no blobs and uploads are there. */
  readonly leftovers: () => Promise<readonly string[]>
}

/** What every quarantine does for the blob store it belongs to. */
export function quarantineContract(setUp: () => Promise<QuarantineFixture>): void {
  const contract = (name: string, body: (fixture: QuarantineFixture) => Promise<void>): void => {
    test(name, async () => {
      await using fixture = await setUp()
      await body(fixture)
      await fixture.blobs.delete(await allOf(fixture.blobs.listBlobs()))
      assert.deepEqual(await fixture.leftovers(), [])
    })
  }

  contract('what is put aside is no blob any more, and can be looked at', async ({ blobs, quarantine, aside }) => {
    const digest = await keep(blobs, 'hello')
    assert.equal(await quarantine.putAside(digest), true)
    assert.equal(await blobs.stat(digest), undefined)
    assert.deepEqual(await allOf(blobs.listBlobs()), [])
    assert.deepEqual(await aside(), ['hello'])
  })

  contract('what is not there cannot be put aside, and has no version', async ({ quarantine, aside }) => {
    assert.equal(await quarantine.putAside(sha256('nothing')), false)
    assert.equal(await quarantine.version(sha256('nothing')), undefined)
    assert.deepEqual(await aside(), [])
  })

  contract('bytes that are committed again have another version, also when they are the same', async (fixture) => {
    const { blobs, quarantine } = fixture
    const digest = await keep(blobs, 'hello')
    const first = await quarantine.version(digest)
    assert.ok(first !== undefined)
    assert.equal(await quarantine.version(digest), first)
    await commit(blobs, await upload(blobs, 'hello'), digest)
    assert.notEqual(await quarantine.version(digest), first)
  })

  contract('after bytes were put aside the blob can be committed and put aside again', async (fixture) => {
    const { blobs, quarantine, aside } = fixture
    const digest = await keep(blobs, 'hello')
    await quarantine.putAside(digest)
    await keep(blobs, 'hello')
    assert.equal(await read(blobs, digest), 'hello')
    assert.equal(await quarantine.putAside(digest), true)
    assert.equal(await quarantine.version(digest), undefined)
    assert.deepEqual(await aside(), ['hello'])
  })
}
