import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Machine } from './machine.ts'

/**
 * Writes a tar file with one small file that says `content`, for `docker import` and `podman import`: an image of it is there in no
 * time, and another one for other content. Resolves with its path.
 */
export async function writeTar(machine: Machine, content: string): Promise<string> {
  const directory = join(machine.directory, 'files', content.replaceAll(/[^a-z0-9]/g, '-'))
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'greeting'), `hello from ${content}\n`)
  await machine.run('tar', ['-C', directory, '-cf', `${directory}.tar`, '.'])
  return `${directory}.tar`
}
