import type { Readable } from 'node:stream'
import type { ByteRange } from '../../../wire/byte-range.ts'
import type { Digest } from '../../domain/digest.ts'
import type { Blobs } from '../../storage/blob-store.ts'
import type { BlobHandle, CacheState, Growth } from '../repository.ts'
import { UpstreamFailure } from '../upstream/upstream.ts'
import type { Arrival } from './arrival.ts'
import { Availability } from './availability.ts'
import { GrowingBytes } from './growing-bytes.ts'
import type { SharedReader } from './shared-reader.ts'
import { refusalFor } from './upstream-errors.ts'

interface Coming {
  readonly arrival: Arrival
  /** Somebody else uses it too for as long as the arrival goes on. */
  readonly reader: SharedReader
  readonly path: string | undefined
}

/** A blob that is coming in, and one that is kept when it has. */
export class GrowingBlob implements BlobHandle {
  readonly #blobs: Blobs
  readonly #digest: Digest
  readonly #coming: Coming

  constructor(blobs: Blobs, digest: Digest, coming: Coming) {
    this.#blobs = blobs
    this.#digest = digest
    this.#coming = coming
  }

  /** For whoever comes when all is there it is as if it had been before. */
  get cache(): CacheState {
    return { kind: this.#coming.arrival.isVerified ? 'hit' : 'miss' }
  }

  get size(): number {
    return this.#coming.arrival.size
  }

  async open(range: ByteRange | undefined): Promise<Readable> {
    const { arrival, reader } = this.#coming
    if (arrival.end?.kind === 'failed') throw brokenOff(arrival.end.error)
    if (arrival.end) return this.#blobs.open(this.#digest, range)
    return new GrowingBytes(arrival, reader.use(), range ?? { first: 0, last: arrival.size - 1 })
  }

  path(): string | undefined {
    return this.#coming.arrival.end?.kind === 'whole' ? this.#blobs.path(this.#digest) : undefined
  }

  get growth(): Growth | undefined {
    const { arrival, path } = this.#coming
    if (arrival.end?.kind === 'whole') return undefined
    const blobPath = this.#blobs.path(this.#digest)
    return { path, blobPath, available: () => new Availability(arrival), kept: () => this.#kept() }
  }

  async #kept(): Promise<void> {
    const end = await this.#coming.arrival.over
    if (end.kind === 'failed') throw brokenOff(end.error)
  }
}

/** The upstream has the blob, so that it cannot be had now is no absence. */
function brokenOff(error: unknown): unknown {
  return error instanceof UpstreamFailure ? refusalFor(error, 'BLOB_UNKNOWN', { hardFail: true }) : error
}
