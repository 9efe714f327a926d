import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pipeline } from 'node:stream/promises'
import { eventually } from './eventually.ts'
import type { TestRegistry } from './registry.ts'
import { digestOfBytes } from './tiny-image.ts'

/** Asserts that each blob's file and each manifest in the database has the digest that it goes by. */
export async function nothingWrongIsKept(dataDirectory: string): Promise<void> {
  const blobs = join(dataDirectory, 'blobs')
  for (const entry of await readdir(blobs, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) assert.equal(await sha256Of(join(entry.parentPath, entry.name)), entry.name)
  using database = new DatabaseSync(join(dataDirectory, 'caisson.db'), { readOnly: true })
  for (const { digest, bytes } of database.prepare('select digest, bytes from manifests').all())
    assert.equal(digestOfBytes(bytes as Uint8Array), digest)
}

/** Resolves when nothing is coming in, and nothing of what was is left: a client has a blob whole a moment before it is kept. */
export async function allIsKept(registry: TestRegistry): Promise<void> {
  await eventually('all that came in is kept or gone', async () => {
    using database = new DatabaseSync(join(registry.dataDirectory, 'caisson.db'), { readOnly: true })
    return (await registry.uploads()).length === 0 && database.prepare('select 1 from uploads').get() === undefined
  })
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}
