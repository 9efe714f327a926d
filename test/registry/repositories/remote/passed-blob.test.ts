import assert from 'node:assert/strict'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { passedBlob } from '../../../../registry/repositories/remote/passed-blob.ts'
import { sha256 } from '../../../contracts/blob-store.ts'
import { lost } from './scripted-source.ts'

const content = Buffer.from('passed on')

function passed(bytes = new PassThrough()) {
  const open = async (offset: number) => ({ offset, size: content.length, bytes })
  return { bytes, blob: passedBlob(sha256(content), content.length, open) }
}

test('the bytes are those of the upstream, and of a range that part', async () => {
  const whole = passed(new PassThrough().end(content))
  assert.deepEqual(await buffer(await whole.blob.open(undefined)), content)
  const part = passed(new PassThrough().end(content.subarray(2)))
  assert.deepEqual(await buffer(await part.blob.open({ first: 2, last: 4 })), content.subarray(2, 5))
})

test('what is not that of the digest never comes whole', async () => {
  const { blob } = passed(new PassThrough().end(Buffer.from('passed OFF')))
  await assert.rejects(buffer(await blob.open(undefined)), { kind: 'wrong' })
})

test('whoever leaves before the first byte leaves nothing open', async () => {
  const { blob, bytes } = passed()
  const reader = await blob.open(undefined)
  reader.destroy()
  await once(bytes, 'close')
})

test('a transfer that breaks before anybody reads is told to whoever does', async () => {
  const { blob, bytes } = passed()
  const reader = await blob.open(undefined)
  const closed = new Promise((resolve) => bytes.once('close', resolve))
  bytes.destroy(lost())
  await closed
  await assert.rejects(buffer(reader), lost())
})
