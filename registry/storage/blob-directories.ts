import { open, rename } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { algorithmOf, digestAlgorithms, encodedOf, type Digest } from '../domain/digest.ts'
import type { UploadId } from './blob-store.ts'
import { codeOf, makeDirectoryDurably, makeOneDirectoryDurably, removeIfPresent } from './durable-files.ts'

/** Always the same, so that one that a killed process left goes at the next start. */
const probe = '.probe'

/** Uploads become blobs by renaming, so they are kept beside them. */
export function blobDirectories(blobs: string): { readonly blobs: string; readonly uploads: string } {
  return { blobs, uploads: beside(blobs, 'uploads') }
}

/** Another store may have its blobs in the directory next door, under another name. */
function beside(blobs: string, name: string): string {
  return basename(blobs) === 'blobs' ? join(dirname(blobs), name) : `${blobs}-${name}`
}

/**
 * Where the files are: `<blobs>/sha256/ab/<hex>`, so that no directory grows too large, `<uploads>/<id>`, and beside the blobs
 * `quarantine/sha256-<hex>`.
 */
export class BlobDirectories {
  readonly blobs: string
  readonly uploads: string
  readonly quarantine: string
  readonly #shards = new Map<string, Promise<void>>()

  constructor(blobs: string, uploads: string) {
    this.blobs = resolve(blobs)
    this.uploads = resolve(uploads)
    this.quarantine = beside(this.blobs, 'quarantine')
  }

  blob(digest: Digest): string {
    const encoded = encodedOf(digest)
    return join(this.blobs, algorithmOf(digest), encoded.slice(0, 2), encoded)
  }

  upload(id: UploadId): string {
    return join(this.uploads, id)
  }

  quarantined(digest: Digest): string {
    return join(this.quarantine, `${algorithmOf(digest)}-${encodedOf(digest)}`)
  }

  /** When it turns out that somebody has removed it. */
  forgetRoomFor(digest: Digest): void {
    this.#shards.delete(dirname(this.blob(digest)))
  }

  /** Makes the directory of this blob, durably, once. Not those around it: a disk that is no longer mounted must not be written beside. */
  async makeRoomFor(digest: Digest): Promise<void> {
    const shard = dirname(this.blob(digest))
    const made = this.#shards.get(shard) ?? makeOneDirectoryDurably(shard)
    this.#shards.set(shard, made)
    try {
      await made
    } catch (error) {
      this.#shards.delete(shard)
      throw error
    }
  }

  /** Makes the directories. Throws an Error that names the path and says what to do when that fails. */
  async prepare(): Promise<void> {
    await this.prepareBlobs()
    await writable(this.uploads, makeDirectoryDurably(this.uploads))
    await this.#tryMove()
  }

  /** Those of the blobs alone. */
  async prepareBlobs(): Promise<void> {
    for (const algorithm of digestAlgorithms)
      await writable(this.blobs, makeDirectoryDurably(join(this.blobs, algorithm)))
  }

  async #tryMove(): Promise<void> {
    const [from, to] = [join(this.uploads, probe), join(this.blobs, probe)]
    try {
      await writable(this.uploads, touch(from))
      await writable(this.blobs, touch(to))
      await this.#onOneFileSystem(rename(from, to))
    } finally {
      await removeIfPresent(from)
      await removeIfPresent(to)
    }
  }

  async #onOneFileSystem(moved: Promise<void>): Promise<void> {
    try {
      await moved
    } catch (cause) {
      if (codeOf(cause) !== 'EXDEV') throw cause
      const message = `${this.uploads} and ${this.blobs} must be on one file system: a finished upload is moved, not copied`
      throw new Error(message, { cause })
    }
  }
}

async function writable(directory: string, attempt: Promise<void>): Promise<void> {
  try {
    await attempt
  } catch (cause) {
    const reason = codeOf(cause) ?? String(cause)
    const advice = 'let the user that runs caisson write there, or choose another directory'
    throw new Error(`cannot write to the directory ${directory} (${reason}): ${advice}`, { cause })
  }
}

async function touch(file: string): Promise<void> {
  const handle = await open(file, 'w')
  await handle.close()
}
