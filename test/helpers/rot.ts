import assert from 'node:assert/strict'
import { open } from 'node:fs/promises'

/** Flips one bit of the file in place, as a tired disk does. */
export async function rot(file: string | undefined): Promise<void> {
  assert.ok(file !== undefined)
  const handle = await open(file, 'r+')
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, 0)
  await handle.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, 0)
  await handle.close()
}
