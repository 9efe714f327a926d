import { join } from 'node:path'
import { openSqliteMetadata } from '../../registry/storage/sqlite-metadata.ts'
import { temporaryDirectory, type TemporaryDirectory } from './temporary-directory.ts'

/** A data directory as the first start leaves it, without its user and its permission target. */
export async function emptyDataDirectory(): Promise<TemporaryDirectory> {
  const directory = await temporaryDirectory()
  await using _made = await openSqliteMetadata(join(directory.path, 'caisson.db'))
  return directory
}
