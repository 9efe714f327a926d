import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { tokenExpiry } from '../../../registry/jobs/token-expiry.ts'
import { openSqliteMetadata } from '../../../registry/storage/sqlite-metadata.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

test('tokens that have ended go, and no others', async () => {
  await using directory = await temporaryDirectory()
  await using store = await openSqliteMetadata(join(directory.path, 'caisson.db'))
  const at = (day: number) => new Date(Date.UTC(2026, 0, day))
  const token = {
    kind: 'access',
    user: 'alice',
    secretHash: '',
    scope: '',
    standsAlone: false,
    passwordStamp: undefined,
    description: '',
  } as const
  for (const day of [1, 2, 3])
    await store.addToken({ ...token, id: `${day}`, issuedAt: at(1), expiresAt: at(day), lastUsedAt: undefined }, 9)
  await tokenExpiry(store, () => at(2)).run(new AbortController().signal)
  assert.deepEqual(
    (await store.listTokens(undefined)).map(({ id }) => id),
    ['3'],
  )
})
