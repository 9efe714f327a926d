import { statfs } from 'node:fs/promises'
import { RegistryError } from '../domain/errors.ts'
import { formatSize } from '../domain/size.ts'

/** In between, what is written from here is subtracted; what other programs write is known so much later. */
const rereadMs = 1000

/** The part of a disk that stays free when uploads would fill it: what is there can then still be served, recorded and deleted. */
export class DiskReserve {
  readonly #directory: string
  readonly #bytes: number
  readonly #now: () => number
  #free = { bytes: 0, readAt: -Infinity }

  /** Of 0 bytes it refuses nothing: file systems that cannot tell what is free are used so. `now` is in milliseconds. */
  constructor(directory: string, bytes: number, now: () => number = () => performance.now()) {
    this.#directory = directory
    this.#bytes = bytes
    this.#now = now
  }

  /** Throws STORAGE_FULL, with the numbers, when less would stay free with so many bytes more on the disk. */
  async admit(bytes: number): Promise<void> {
    if (this.#bytes === 0) return
    if (this.#now() - this.#free.readAt < rereadMs && this.#free.bytes - bytes >= this.#bytes) return
    // Nobody is refused for what has been deleted, or taken back, since it was read.
    const free = await this.#read()
    if (free - bytes >= this.#bytes) return
    const more = bytes === 0 ? '' : `, and ${formatSize(bytes)} more would be needed`
    throw new RegistryError('STORAGE_FULL', {
      message:
        `the registry's disk has ${formatSize(free)} left, of which ${formatSize(this.#bytes)} are kept free${more}: ` +
        'nothing can be pushed until an administrator has made room',
      detail: { free, keptFree: this.#bytes, size: bytes },
    })
  }

  /** As `admit`, for bytes that are written next. */
  async take(bytes: number): Promise<void> {
    await this.admit(bytes)
    this.#free.bytes -= bytes
  }

  async #read(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#directory)
    this.#free = { bytes: bavail * bsize, readAt: this.#now() }
    return this.#free.bytes
  }
}
