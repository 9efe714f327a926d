import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { parseDigest } from '../../../../registry/domain/digest.ts'
import { passedBlob } from '../../../../registry/repositories/remote/passed-blob.ts'
import { UpstreamFailure } from '../../../../registry/repositories/upstream/upstream.ts'
import { digestOfBytes } from '../../../helpers/tiny-image.ts'

const content = Buffer.from('the bytes of a blob')
const digest = parseDigest(digestOfBytes(content))

function passed(bytes: Readable) {
  return passedBlob(digest, content.length, async () => ({ offset: 0, size: content.length, bytes }))
}

/** Listens for no error, as nobody does who has not begun to read. */
async function closed(bytes: Readable): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  bytes.once('close', () => resolve(undefined))
  await promise
}

for (const range of [undefined, { first: 2, last: 4 }]) {
  const what = range ? 'a part of a blob' : 'a blob'

  test(`${what} that goes past the cache ends for the upstream with a reader who has read nothing of it`, async () => {
    const bytes = Readable.from([content], { objectMode: false })
    const opened = await passed(bytes).open(range)
    opened.destroy()
    await closed(bytes)
  })

  test(`${what} that goes past the cache may break off before anybody reads it, and is then an error to the reader`, async () => {
    const bytes = new Readable({ read: () => {} })
    const opened = await passed(bytes).open(range)
    bytes.destroy(new UpstreamFailure('unreachable', 'it broke off'))
    await closed(bytes)
    await assert.rejects(buffer(opened), { message: 'it broke off' })
  })
}
