import { constants, existsSync } from 'node:fs'
import { lstat, open, opendir, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { ByteRange } from '../../wire/byte-range.ts'
import { algorithmOf, digestAlgorithms, isDigest, type Digest, type DigestAlgorithm } from '../domain/digest.ts'
import { RegistryError } from '../domain/errors.ts'
import { isUploadId, newUploadId } from '../domain/upload-id.ts'
import { appendToFile, type Appended, type Appending } from './append-to-file.ts'
import { BlobDirectories } from './blob-directories.ts'
import type { BlobStore, UploadId, UploadReader, VerifiedUpload } from './blob-store.ts'
import { DiskReserve } from './disk-reserve.ts'
import { isFull, isMissing, moveDurably, removeDurably, removeIfPresent } from './durable-files.ts'
import { RunningHash, RunningHashes } from './running-hashes.ts'

/** Nothing that a link leads to, and no waiting for somebody who writes to a pipe; directories fail when they are read. */
const readableOnly = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
/** Bytes that go out through this process go in pieces of this size. */
const readBytes = 256 * 1024
/** An upload that rests longer costs one reading of what came before. */
const maxIdleMs = 60 * 60 * 1000

/**
 * The two directories must be on one file system; they are made when missing. Of that file system, uploads leave
 * `keptFreeBytes` free.
 */
export async function openFilesystemBlobs(
  paths: { readonly blobs: string; readonly uploads: string },
  keptFreeBytes = 0,
): Promise<BlobStore> {
  const directories = new BlobDirectories(paths.blobs, paths.uploads)
  await directories.prepare()
  return new FilesystemBlobs(directories, new DiskReserve(directories.blobs, keptFreeBytes))
}

/** For a process beside the one that serves: makes nothing and tries nothing, so that it is in nobody's way. */
export function filesystemBlobsBeside(paths: { readonly blobs: string; readonly uploads: string }): BlobStore {
  const directories = new BlobDirectories(paths.blobs, paths.uploads)
  return new FilesystemBlobs(directories, new DiskReserve(directories.blobs, 0))
}

class FilesystemBlobs implements BlobStore {
  readonly #directories: BlobDirectories
  readonly #hashes = new RunningHashes(maxIdleMs)
  readonly #busy = new Set<UploadId>()
  readonly #held = new Set<UploadId>()
  readonly #diskReserve: DiskReserve

  constructor(directories: BlobDirectories, diskReserve: DiskReserve) {
    this.#directories = directories
    this.#diskReserve = diskReserve
  }

  async stat(digest: Digest): Promise<{ readonly size: number } | undefined> {
    const found = await orAbsent(lstat(this.path(digest)))
    return found?.isFile() ? { size: found.size } : undefined
  }

  async open(digest: Digest, range: ByteRange | undefined): Promise<Readable> {
    const file = await orAbsent(open(this.path(digest), readableOnly))
    if (!file) throw new RegistryError('BLOB_UNKNOWN', { detail: { digest } })
    return file.createReadStream({ start: range?.first ?? 0, end: range?.last ?? Infinity, highWaterMark: readBytes })
  }

  path(digest: Digest): string {
    return this.#directories.blob(digest)
  }

  async delete(digests: readonly Digest[]): Promise<number> {
    return removeDurably(digests.map((digest) => this.path(digest)))
  }

  async *listBlobs(): AsyncGenerator<Digest> {
    const there = digestAlgorithms.filter((algorithm) => existsSync(join(this.#directories.blobs, algorithm)))
    // No blobs at all are no empty store, but a disk that is not mounted or a wrong place.
    for (const algorithm of there.length > 0 ? there : digestAlgorithms) {
      for await (const shard of await opendir(join(this.#directories.blobs, algorithm))) {
        if (!shard.isDirectory()) continue
        for await (const { name } of await opendir(join(shard.parentPath, shard.name))) {
          const digest = `${algorithm}:${name}`
          if (isDigest(digest)) yield digest
        }
      }
    }
  }

  async admit(bytes: number): Promise<void> {
    await this.#diskReserve.admit(bytes)
  }

  async begin(algorithm: DigestAlgorithm): Promise<UploadId> {
    const id = newUploadId()
    const file = await orFull(open(this.#directories.upload(id), 'wx'))
    await file.close()
    this.#hashes.keep(id, new RunningHash(algorithm))
    return id
  }

  async size(id: UploadId): Promise<number | undefined> {
    return (await orAbsent(stat(this.#directories.upload(id))))?.size
  }

  async append(
    id: UploadId,
    offset: number,
    bytes: AsyncIterable<Uint8Array>,
    tell?: (size: number) => void,
  ): Promise<number> {
    using _alone = this.#reserve(id)
    await using file = await this.#openUpload(id)
    const { size } = await file.stat()
    if (offset !== size) throw outOfOrder(`the chunk starts at ${offset}, the upload has ${size} bytes`)

    const hash = (await this.#hashes.of(id, this.#directories.upload(id), size)).fork()
    const { broken } = await appendOrTakeBack(file, hash, bytes, { reserve: this.#diskReserve, tell })
    // What is acknowledged is there after a power cut too; commit finds little left to sync.
    if (!tell && !broken && hash.size > size) await this.#sync(id, file)
    this.#hashes.keep(id, hash)
    if (broken) throw broken.error
    return hash.size
  }

  async digest(id: UploadId): Promise<Digest> {
    using _alone = this.#reserve(id)
    await using file = await this.#openUpload(id)
    const { size } = await file.stat()
    return (await this.#hashes.of(id, this.#directories.upload(id), size)).digest()
  }

  async verify(id: UploadId, expected: Digest, tell: () => void = () => {}): Promise<VerifiedUpload> {
    using alone = new DisposableStack()
    alone.use(this.#reserve(id))
    await using file = await this.#openUpload(id)
    const { size } = await file.stat()
    const hash = await this.#hashes.of(id, this.#directories.upload(id), size, algorithmOf(expected))
    const actual = hash.digest()
    if (actual !== expected) throw new RegistryError('DIGEST_INVALID', { detail: { expected, actual } })

    tell()
    await this.#sync(id, file)
    const reserved = alone.move()
    return { size, place: () => this.#place(id, expected), [Symbol.dispose]: () => reserved.dispose() }
  }

  async discard(id: UploadId): Promise<boolean> {
    if (this.#held.has(id)) throw outOfOrder('the upload is held by what goes on with it')
    using _alone = this.#reserve(id)
    return await this.#drop(id)
  }

  hold(id: UploadId): Disposable {
    if (this.#busy.has(id) || this.#held.has(id)) throw outOfOrder('another request is using this upload')
    this.#held.add(id)
    return { [Symbol.dispose]: () => void this.#held.delete(id) }
  }

  async readUpload(id: UploadId): Promise<UploadReader | undefined> {
    const file = await orAbsent(open(this.#directories.upload(id), readableOnly))
    return (
      file && {
        read: async (into, position) => (await file.read(into, 0, into.length, position)).bytesRead,
        [Symbol.asyncDispose]: () => file.close(),
      }
    )
  }

  uploadPath(id: UploadId): string {
    return this.#directories.upload(id)
  }

  async *listUploads(): AsyncGenerator<{ readonly id: UploadId; readonly modifiedAt: Date }> {
    for await (const { name } of await opendir(this.#directories.uploads)) {
      if (!isUploadId(name)) continue
      const found = await orAbsent(stat(this.#directories.upload(name)))
      if (found) yield { id: name, modifiedAt: found.mtime }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** One user of an upload: two writers would interleave, and what was verified must not change any more. */
  #reserve(id: UploadId): Disposable {
    if (this.#busy.has(id)) throw outOfOrder('another request is using this upload')
    this.#busy.add(id)
    return { [Symbol.dispose]: () => this.#busy.delete(id) }
  }

  async #drop(id: UploadId): Promise<boolean> {
    this.#hashes.forget(id)
    return removeIfPresent(this.#directories.upload(id))
  }

  async #openUpload(id: UploadId): Promise<FileHandle> {
    const file = await orAbsent(open(this.#directories.upload(id), 'r+'))
    if (file) return file
    throw new RegistryError('BLOB_UPLOAD_UNKNOWN', { detail: { upload: id } })
  }

  async #sync(id: UploadId, file: FileHandle): Promise<void> {
    try {
      await orFull(file.datasync())
    } catch (error) {
      // The kernel may have dropped the pages it could not write: a second fdatasync would succeed without them.
      await this.#drop(id)
      throw error
    }
  }

  async #place(id: UploadId, digest: Digest): Promise<void> {
    await orFull(this.#directories.makeRoomFor(digest))
    try {
      await this.#move(id, digest)
    } catch (error) {
      if (!isMissing(error)) throw error
      this.#directories.forgetRoomFor(digest)
      await orFull(this.#directories.makeRoomFor(digest))
      await this.#move(id, digest)
    }
    this.#hashes.forget(id)
  }

  /** Also over a blob that is there already: these bytes are known to be right, and those may have rotted. */
  async #move(id: UploadId, digest: Digest): Promise<void> {
    await orFull(moveDurably(this.#directories.upload(id), this.path(digest)))
  }
}

/** What a failed write left is taken back; what came in before the stream broke is kept, to be continued. */
async function appendOrTakeBack(
  file: FileHandle,
  hash: RunningHash,
  bytes: AsyncIterable<Uint8Array>,
  appending: Appending,
): Promise<Appended> {
  const { size } = hash
  try {
    return await orFull(appendToFile(file, hash, bytes, appending))
  } catch (error) {
    await file.truncate(size)
    throw error
  }
}

function outOfOrder(message: string): RegistryError {
  return new RegistryError('BLOB_UPLOAD_INVALID', { message })
}

async function orAbsent<found>(attempt: Promise<found>): Promise<found | undefined> {
  try {
    return await attempt
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

async function orFull<done>(attempt: Promise<done>): Promise<done> {
  try {
    return await attempt
  } catch (cause) {
    if (isFull(cause)) throw new RegistryError('STORAGE_FULL', { cause })
    throw cause
  }
}
