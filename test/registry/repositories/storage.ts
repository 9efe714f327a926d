import { join } from 'node:path'
import { openFilesystemBlobs } from '../../../registry/storage/filesystem-blobs.ts'
import { openSqliteMetadata } from '../../../registry/storage/sqlite-metadata.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

/** Real stores in a directory of their own. */
export async function temporaryStorage() {
  const directory = await temporaryDirectory()
  const within = (name: string) => join(directory.path, name)
  const blobs = await openFilesystemBlobs({ blobs: within('blobs'), uploads: within('uploads') })
  const metadata = await openSqliteMetadata(within('caisson.db'))
  return {
    /** Has `blobs`, `uploads` and `caisson.db`. */
    directory: directory.path,
    blobs,
    metadata,
    [Symbol.asyncDispose]: async () => {
      await blobs[Symbol.asyncDispose]()
      await metadata[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
    },
  }
}
