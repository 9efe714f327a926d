import assert from 'node:assert/strict'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import pino from 'pino'
import { RegistryError } from '../../../../registry/domain/errors.ts'
import { parseImageName, parseTag } from '../../../../registry/domain/names.ts'
import { openMetrics } from '../../../../registry/metrics.ts'
import { BlobFetches } from '../../../../registry/repositories/remote/blob-fetches.ts'
import { openRemote } from '../../../../registry/repositories/remote/open-remote.ts'
import { sha256 } from '../../../contracts/blob-store.ts'
import { keyOf } from '../../../contracts/metadata-store.ts'
import { FaultyUpstream } from '../../../helpers/faulty-upstream.ts'
import { tinyImage } from '../../../helpers/tiny-image.ts'
import { temporaryStorage } from '../storage.ts'
import { remoteConfig } from '../upstream/upstreams.ts'

const [image, moved] = [tinyImage('one'), tinyImage('two')]
const app = parseImageName('team/app')
const tag = parseTag('1')

test('on a full disk pulls go on: what is cached is served, and what is not is passed on', async () => {
  await using storage = await temporaryStorage()
  await using upstream = await FaultyUpstream.start()
  upstream.content.push(app, tag, image)
  const full = async (): Promise<never> => {
    throw new RegistryError('STORAGE_FULL')
  }
  const { blobs, metadata } = storage
  const log = pino({ enabled: false })
  const openOn = async (metadata: typeof storage.metadata) => {
    const fetches = new BlobFetches({ blobs, metadata }, log)
    const surroundings = { storage: { blobs, metadata }, fetches, maxManifestBytes: 4_000_000, log }
    const config = remoteConfig({ url: upstream.url, retrievalCachePeriodSecs: 0 })
    return openRemote(keyOf('hub'), config, { ...surroundings, metrics: openMetrics(metadata) })
  }
  const before = await openOn(metadata)
  assert.ok(await before.repository.manifest(app, { tag }))
  await before[Symbol.asyncDispose]()

  await using on = await openOn({ ...metadata, cacheManifest: full, noteUse: full, addUpload: full })
  const { repository } = on
  assert.deepEqual((await repository.manifest(app, { tag }))?.cache, { kind: 'hit' })
  upstream.content.push(app, tag, moved)
  for (let time = 0; time < 2; time++)
    assert.equal((await repository.manifest(app, { tag }))?.digest, sha256(moved.manifest))
  for (const blob of moved.blobs) {
    const found = await repository.blob(app, sha256(blob))
    assert.deepEqual(found && (await buffer(await found.open(undefined))), blob)
  }
})
