import { constants } from 'node:fs'
import { open, readdir, realpath, type FileHandle } from 'node:fs/promises'
import { join, sep } from 'node:path'
import type { Files, FoundFile } from './files.ts'

/** Files of a directory, which may come from anybody: a link that leads out of it would have us publish what it leads to. */
export async function directoryFiles(directory: string): Promise<Files> {
  const root = await realpath(directory)
  const inside = async (path: string): Promise<string | undefined> => {
    const real = await unlessMissing(realpath(join(root, path)))
    if (real === undefined || real === root || real.startsWith(`${root}${sep}`)) return real
    throw new Error(`${directory}: ${path} leads out of the directory, to ${real}`)
  }
  return {
    name: directory,
    async find(path) {
      const real = await inside(path)
      return real === undefined ? undefined : await fileAt(real)
    },
    async list(path) {
      const real = await inside(path)
      const names = real === undefined ? undefined : await unlessMissing(readdir(real))
      return names?.sort((one, other) => (one < other ? -1 : 1))
    },
    async [Symbol.asyncDispose]() {},
  }
}

// NONBLOCK: a pipe would have us wait for whoever writes to it.
const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

async function fileAt(file: string): Promise<FoundFile> {
  await using looked = await open(file, flags)
  const { size } = await fileOf(file, looked)
  return {
    size,
    async open(range) {
      const handle = await open(file, flags)
      return handle.createReadStream({ highWaterMark: 1 << 18, ...(range && { start: range.first, end: range.last }) })
    },
  }
}

async function fileOf(file: string, handle: FileHandle) {
  const stat = await handle.stat()
  if (stat.isFile()) return stat
  throw new Error(`${file} is no file`)
}

async function unlessMissing<value>(reading: Promise<value>): Promise<value | undefined> {
  try {
    return await reading
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}
