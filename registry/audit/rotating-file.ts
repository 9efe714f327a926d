import type { Stats } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isMissing, makeDirectoryDurably, syncDirectory } from '../storage/durable-files.ts'
import { rotate } from './rotated-files.ts'

export interface Rotation {
  /** Size from which on the file is rotated. */
  readonly atBytes: number
  /** How many rotated ones there are at most. */
  readonly keep: number
}

/** A file of lines that grows until it is rotated. One call at a time. What fails leaves it as it was, to be tried again. */
export class RotatingFile implements AsyncDisposable {
  readonly path: string
  readonly #rotation: Rotation
  #file: { readonly handle: FileHandle; readonly stats: Stats } | undefined

  constructor(path: string, rotation: Rotation) {
    this.path = path
    this.#rotation = rotation
  }

  /** Makes the file when there is none, and ends a last line that was torn. Called by `append` too. */
  async open(): Promise<FileHandle> {
    const there = await statIfThere(this.path)
    if (this.#file && there && isSame(there, this.#file.stats)) return this.#file.handle
    // There was none, or somebody has moved it away or removed it.
    await this.sync()
    await this.#close()
    await makeDirectoryDurably(dirname(this.path), 0o700)
    const handle = await open(this.path, 'a+', 0o600)
    try {
      await endTornLine(handle)
      await syncDirectory(dirname(this.path))
      this.#file = { handle, stats: await handle.stat() }
      return handle
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** All of the bytes or none of them. */
  async append(bytes: Buffer): Promise<void> {
    const handle = await this.open()
    const { size } = await handle.stat()
    try {
      await handle.appendFile(bytes)
    } catch (error) {
      await this.#takeBack(handle, size)
      throw error
    }
  }

  /** Once it is large enough. */
  async rotateIfDue(): Promise<void> {
    const handle = await this.open()
    if ((await handle.stat()).size < this.#rotation.atBytes) return
    await handle.datasync()
    await rotate(this.path, this.#rotation.keep)
    await this.open()
  }

  async sync(): Promise<void> {
    await this.#file?.handle.datasync()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close()
  }

  /** A full disk takes a part before it says so. */
  async #takeBack(handle: FileHandle, size: number): Promise<void> {
    try {
      await handle.truncate(size)
    } catch {
      await this.#close() // opened again, it ends what was torn
    }
  }

  async #close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.handle.close()
  }
}

function isSame(a: Stats, b: Stats): boolean {
  return a.ino === b.ino && a.dev === b.dev
}

async function endTornLine(handle: FileHandle): Promise<void> {
  const { size } = await handle.stat()
  if (size === 0) return
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1)
  if (buffer.toString() !== '\n') await handle.appendFile('\n')
}

async function statIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
