import { lstat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Digest } from '../domain/digest.ts'
import { BlobDirectories } from './blob-directories.ts'
import { codeOf, isMissing, makeDirectoryDurably, moveDurably, syncDirectory } from './durable-files.ts'
import type { Quarantine } from './quarantine.ts'

/** Beside the directory of the blobs; made when it is first needed. */
export function filesystemQuarantine(paths: { readonly blobs: string; readonly uploads: string }): Quarantine {
  const directories = new BlobDirectories(paths.blobs, paths.uploads)
  return {
    version: (digest) => versionOf(directories.blob(digest)),
    putAside: (digest) => putAside(directories, digest),
  }
}

/** Commit puts another file in the place; making a hard link to this one, as a backup does, changes none of these. */
async function versionOf(file: string): Promise<string | undefined> {
  try {
    const { ino, mtimeNs, size } = await lstat(file, { bigint: true })
    return `${ino} ${mtimeNs} ${size}`
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

async function putAside(directories: BlobDirectories, digest: Digest): Promise<boolean> {
  const [from, to] = [directories.blob(digest), directories.quarantined(digest)]
  await makeDirectoryDurably(dirname(to))
  try {
    await moveDurably(from, to)
  } catch (error) {
    // On another file system, where it lies behind a link, they stay: their row is out of use, and a push replaces them.
    if (isMissing(error) || codeOf(error) === 'EXDEV') return false
    throw error
  }
  await syncDirectory(dirname(from))
  return true
}
