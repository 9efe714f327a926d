import type { FileHandle } from 'node:fs/promises'
import type { DiskReserve } from './disk-reserve.ts'
import type { RunningHash } from './running-hashes.ts'

/** Sockets hand out 64 KiB at most; written one by one they cost twice the CPU. */
const batchBytes = 1024 * 1024
/** A client may send byte by byte, and a small chunk weighs much more than its bytes. Also what one writev takes (IOV_MAX). */
const batchChunks = 1024
/** Whoever reads along waits no longer than this for bytes that are there, however slowly others follow. */
const batchMs = 20
const late = Symbol('late')

export interface Appending {
  readonly reserve: DiskReserve
  /** Told of the file's size after each write. */
  readonly tell: ((size: number) => void) | undefined
}

/** How an append ended: all of the stream, or as much of it as came before it broke. */
export interface Appended {
  readonly size: number
  readonly broken: { readonly error: unknown } | undefined
}

/**
 * Writes `bytes` to the end of the file, of which `hash` has seen every byte, and hashes them on the way. Rejects only
 * when writing fails, or `reserve` allows no more; the file and the hash may then have got some of the bytes and not others.
 */
export async function appendToFile(
  file: FileHandle,
  hash: RunningHash,
  bytes: AsyncIterable<Uint8Array>,
  { reserve, tell }: Appending,
): Promise<Appended> {
  const batch = new Batch(file, hash, reserve, tell)
  const chunks = bytes[Symbol.asyncIterator]()
  let coming: Promise<Next> | undefined
  try {
    for (;;) {
      coming = readNext(chunks)
      if (await batch.isLateBefore(coming)) await batch.write()
      const next = await coming
      coming = undefined
      if ('chunk' in next) {
        await batch.add(next.chunk)
        continue
      }
      await batch.write()
      return { size: hash.size, broken: next.broken }
    }
  } finally {
    // When writing fails in between, no more bytes are waited for; they end with their owner.
    const ended = chunks.return?.()
    if (!coming) await ended
    else ended?.catch(() => {})
  }
}

type Next = { readonly chunk: Uint8Array } | { readonly broken: Appended['broken'] }

async function readNext(chunks: AsyncIterator<Uint8Array>): Promise<Next> {
  try {
    const next = await chunks.next()
    return next.done ? { broken: undefined } : { chunk: next.value }
  } catch (error) {
    return { broken: { error } }
  }
}

class Batch {
  readonly #file: FileHandle
  readonly #hash: RunningHash
  readonly #reserve: DiskReserve
  readonly #tell: ((size: number) => void) | undefined
  #chunks: Uint8Array[] = []
  #length = 0
  /** Of one that is not empty, where somebody reads along. One for all of it: a timer for each chunk costs more than the chunk. */
  #wait: { readonly over: Promise<typeof late>; readonly timer: NodeJS.Timeout } | undefined

  constructor(file: FileHandle, hash: RunningHash, reserve: DiskReserve, tell: ((size: number) => void) | undefined) {
    this.#file = file
    this.#hash = hash
    this.#reserve = reserve
    this.#tell = tell
  }

  /** Whether it has waited long enough when nothing has come yet. */
  async isLateBefore(coming: Promise<unknown>): Promise<boolean> {
    return this.#wait !== undefined && (await Promise.race([coming, this.#wait.over])) === late
  }

  async add(chunk: Uint8Array): Promise<void> {
    if (this.#length === 0 && this.#tell) this.#beginWaiting()
    this.#chunks.push(chunk)
    this.#length += chunk.length
    if (this.#length >= batchBytes || this.#chunks.length >= batchChunks) await this.write()
  }

  #beginWaiting(): void {
    const { promise: over, resolve } = Promise.withResolvers<typeof late>()
    this.#wait = { over, timer: setTimeout(resolve, batchMs, late) }
  }

  async write(): Promise<void> {
    clearTimeout(this.#wait?.timer)
    this.#wait = undefined
    const chunks = this.#chunks
    const length = this.#length
    this.#chunks = []
    this.#length = 0
    if (chunks.length === 0) return
    await this.#reserve.take(length)
    const written = writeAll(this.#file, chunks, this.#hash.size)
    for (const chunk of chunks) this.#hash.update(chunk) // while a thread writes
    await written
    this.#tell?.(this.#hash.size)
  }
}

/** A full disk may take a part before it says so: what it left is written again, and then it says so. */
async function writeAll(file: FileHandle, chunks: readonly Uint8Array[], offset: number): Promise<void> {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  let { bytesWritten } = await file.writev(chunks, offset)
  if (bytesWritten === length) return
  const whole = Buffer.concat(chunks)
  while (bytesWritten < length) {
    bytesWritten += (await file.write(whole, bytesWritten, length - bytesWritten, offset + bytesWritten)).bytesWritten
  }
}
