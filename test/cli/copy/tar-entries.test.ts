import assert from 'node:assert/strict'
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { readTarEntries } from '../../../cli/copy/tar-entries.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { oneFileTar } from '../../helpers/v1-storage.ts'

const entry = (name: string, content: string) => oneFileTar(name, content).subarray(0, -1024)

async function entriesOf(...parts: readonly Buffer[]) {
  await using directory = await temporaryDirectory()
  const file = join(directory.path, 'archive.tar')
  await writeFile(file, Buffer.concat(parts))
  const handle = await open(file)
  try {
    return await readTarEntries(handle)
  } finally {
    await handle.close()
  }
}

test('files are found where they lie, and names that lead out of the archive are none', async () => {
  const end = Buffer.alloc(1024)
  const entries = await entriesOf(
    entry('./a/b', 'one'),
    entry('../c', 'two'),
    entry('/etc/passwd', 'three'),
    entry('a/../../d', 'four'),
    entry('e', ''),
    end,
  )
  assert.deepEqual(
    [...entries],
    [
      ['a/b', { kind: 'file', offset: 512, size: 3 }],
      ['e', { kind: 'file', offset: 4608, size: 0 }],
    ],
  )
})

test('an archive that is cut off or damaged is refused', async () => {
  await assert.rejects(entriesOf(entry('a', 'x'.repeat(2000)).subarray(0, 1024)), /cut off/)
  const damaged = entry('a', 'one')
  damaged[0] = 0x62
  await assert.rejects(entriesOf(damaged), /the header at 0 is damaged/)
})
