import { existsSync, readdirSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { blobDirectories } from '../../../registry/storage/blob-directories.ts'
import { openFilesystemBlobs } from '../../../registry/storage/filesystem-blobs.ts'
import { filesystemQuarantine } from '../../../registry/storage/filesystem-quarantine.ts'
import { quarantineContract } from '../../contracts/quarantine.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

quarantineContract(async () => {
  const directory = await temporaryDirectory()
  const directories = blobDirectories(join(directory.path, 'blobs'))
  const blobs = await openFilesystemBlobs(directories)
  const aside = join(directory.path, 'quarantine')
  return {
    blobs,
    quarantine: filesystemQuarantine(directories),
    aside: async () => {
      const names = existsSync(aside) ? await readdir(aside) : []
      return await Promise.all(names.map((name) => readFile(join(aside, name), 'utf8')))
    },
    leftovers: async () =>
      readdirSync(directory.path, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.parentPath !== aside)
        .map(({ name }) => name),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  }
})
