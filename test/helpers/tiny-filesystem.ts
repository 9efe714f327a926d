import { execFileSync } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryDirectory, type TemporaryDirectory } from './temporary-directory.ts'

/** Why there can be no tiny file system here; false when there can. For the `skip` of a test. */
export const noTinyFilesystem: string | false = mountable() ? false : 'only root may mount a file system'

/** A file system of its own in memory that is full after `mebibytes`. */
export async function tinyFilesystem(mebibytes: number): Promise<TemporaryDirectory> {
  const around = await temporaryDirectory()
  const path = join(around.path, 'tiny')
  await mkdir(path)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', path])
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      execFileSync('umount', [path])
      await around[Symbol.asyncDispose]()
    },
  }
}

function mountable(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
