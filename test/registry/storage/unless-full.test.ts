import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RegistryError } from '../../../registry/domain/errors.ts'
import { unlessFull } from '../../../registry/storage/unless-full.ts'

test('a full disk refuses nothing that is only good to know, and every other failure is one', async () => {
  await unlessFull(() => Promise.reject(new RegistryError('STORAGE_FULL')))
  for (const failure of [new RegistryError('UNAVAILABLE'), new Error('a bug')])
    await assert.rejects(
      unlessFull(() => Promise.reject(failure)),
      failure,
    )
})
