import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pipeline } from 'node:stream/promises'
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

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}
