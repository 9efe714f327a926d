import { createReadStream, existsSync } from 'node:fs'
import { link, lstat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Digest } from '../domain/digest.ts'
import { BlobDirectories, blobDirectories } from './blob-directories.ts'
import { codeOf, copySynced, isMissing, isUnreadable, syncDirectory } from './durable-files.ts'

/** `link`: the same bytes under a second name, where the file system can; where it cannot, a copy. */
export type CopyMode = 'link' | 'copy'

/** What file systems say that cannot make this link, or no more of them. */
const unlinkable: readonly (string | undefined)[] = ['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']

/** From one directory of blobs to another, which is made when it is missing. */
export async function openBlobCopies(from: string, to: string, mode: CopyMode): Promise<BlobCopies> {
  const target = directoriesOf(to)
  await target.prepareBlobs()
  return new BlobCopies(directoriesOf(from), target, mode)
}

/** Brings blobs from one store to another, where those that are there already stay. */
export class BlobCopies {
  readonly #from: BlobDirectories
  readonly #to: BlobDirectories
  readonly #mode: CopyMode
  readonly #shards = new Set<string>()
  #copied = false

  constructor(from: BlobDirectories, to: BlobDirectories, mode: CopyMode) {
    this.#from = from
    this.#to = to
    this.#mode = mode
  }

  /** Whether any was copied rather than linked. */
  get copied(): boolean {
    return this.#copied
  }

  /** Resolves with the size; undefined when there is no such blob, or it cannot be read. Durable after {@link BlobCopies.sync}. */
  async bring(digest: Digest): Promise<number | undefined> {
    const [from, to] = [this.#from.blob(digest), this.#to.blob(digest)]
    await this.#to.makeRoomFor(digest)
    try {
      if (!(await lstat(from)).isFile()) return undefined
      await this.#place(from, to)
    } catch (error) {
      if (await isReadable(from)) throw error
      return undefined
    }
    this.#shards.add(dirname(to))
    return (await lstat(to)).size
  }

  async sync(): Promise<void> {
    for (const shard of this.#shards) await syncDirectory(shard)
    this.#shards.clear()
  }

  async #place(from: string, to: string): Promise<void> {
    if (this.#mode === 'link') {
      try {
        return await link(from, to)
      } catch (error) {
        if (codeOf(error) === 'EEXIST') return
        if (!unlinkable.includes(codeOf(error))) throw error
      }
    }
    if (existsSync(to)) return
    this.#copied = true
    await copySynced(from, to)
  }
}

/** Whether a copy that failed would have had something to copy. */
async function isReadable(file: string): Promise<boolean> {
  try {
    for await (const _chunk of createReadStream(file)) continue
    return true
  } catch (error) {
    if (isMissing(error) || isUnreadable(error)) return false
    throw error
  }
}

function directoriesOf(path: string): BlobDirectories {
  const { blobs, uploads } = blobDirectories(path)
  return new BlobDirectories(blobs, uploads)
}
