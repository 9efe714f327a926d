import { createReadStream, createWriteStream } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import type { Files, FoundFile } from './files.ts'
import { readTarEntries, type TarEntry } from './tar-entries.ts'

const maxLinks = 8

/** Files of an archive, which is not unpacked. `scratch`: a directory for what has to be read in any order, if it is compressed. */
export async function tarFiles(file: string, scratch: string): Promise<Files> {
  const plain = (await isGzip(file)) ? await unpacked(file, join(scratch, 'archive.tar')) : file
  const handle = await open(plain)
  try {
    return filesOf(file, plain, await readTarEntries(handle))
  } catch (cause) {
    throw new Error(`${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  } finally {
    await handle.close()
  }
}

function filesOf(name: string, plain: string, entries: ReadonlyMap<string, TarEntry>): Files {
  return {
    name,
    async find(path) {
      const entry = resolve(entries, path)
      return entry && fileAt(plain, entry)
    },
    async list(path) {
      const below = path === '' ? '' : `${path}/`
      const names = [...entries.keys()].filter((name) => name.startsWith(below))
      const children = new Set(names.map((name) => name.slice(below.length).split('/')[0] ?? ''))
      return children.size === 0 ? undefined : [...children].sort()
    },
    async [Symbol.asyncDispose]() {},
  }
}

/** docker of old saves a layer that several images have once, with links to it. */
function resolve(entries: ReadonlyMap<string, TarEntry>, path: string) {
  let entry = entries.get(path)
  for (let links = 0; entry?.kind === 'link' && links < maxLinks; links++) entry = entries.get(entry.to)
  return entry?.kind === 'file' ? entry : undefined
}

function fileAt(file: string, { offset, size }: Extract<TarEntry, { kind: 'file' }>): FoundFile {
  return {
    size,
    async open({ first, last } = { first: 0, last: size - 1 }) {
      if (last < first) return Readable.from([])
      return createReadStream(file, { start: offset + first, end: offset + last, highWaterMark: 1 << 18 })
    },
  }
}

async function isGzip(file: string): Promise<boolean> {
  const handle: FileHandle = await open(file)
  try {
    const { buffer } = await handle.read({ buffer: Buffer.alloc(2), position: 0 })
    return buffer[0] === 0x1f && buffer[1] === 0x8b
  } finally {
    await handle.close()
  }
}

async function unpacked(file: string, to: string): Promise<string> {
  await pipeline(createReadStream(file), createGunzip(), createWriteStream(to, { mode: 0o600 }))
  return to
}
