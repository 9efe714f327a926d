import { createHash, type Hash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { digestOf, type Digest, type DigestAlgorithm } from '../domain/digest.ts'
import type { UploadId } from './blob-store.ts'

/** The hash of a file's first `size` bytes, which grows with the file. */
export class RunningHash {
  readonly algorithm: DigestAlgorithm
  readonly #hash: Hash
  #size: number

  constructor(algorithm: DigestAlgorithm, hash: Hash = createHash(algorithm), size = 0) {
    this.algorithm = algorithm
    this.#hash = hash
    this.#size = size
  }

  get size(): number {
    return this.#size
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes)
    this.#size += bytes.length
  }

  /** Goes on from here on its own. */
  fork(): RunningHash {
    return new RunningHash(this.algorithm, this.#hash.copy(), this.#size)
  }

  /** Of the bytes so far; more may follow. */
  digest(): Digest {
    return digestOf(this.algorithm, this.#hash.copy().digest('hex'))
  }
}

/**
 * The running hashes of uploads, so that no byte is read twice. Node cannot save a hash's state, so one that is not here
 * (another process began the upload, or it rested too long) is made again from the file.
 */
export class RunningHashes {
  readonly #maxIdleMs: number
  readonly #now: () => number
  readonly #kept = new Map<UploadId, { readonly hash: RunningHash; readonly keptAt: number }>()

  constructor(maxIdleMs: number, now: () => number = Date.now) {
    this.#maxIdleMs = maxIdleMs
    this.#now = now
  }

  keep(id: UploadId, hash: RunningHash): void {
    this.#kept.delete(id) // so that the map stays in order of age
    this.#kept.set(id, { hash, keptAt: this.#now() })
    this.#forgetIdle()
  }

  forget(id: UploadId): void {
    this.#kept.delete(id)
  }

  /** The hash of all `size` bytes of `file`, by the algorithm asked for, or by that of the hash kept. */
  async of(id: UploadId, file: string, size: number, algorithm?: DigestAlgorithm): Promise<RunningHash> {
    const kept = this.#kept.get(id)?.hash
    const usable = kept && kept.size <= size && kept.algorithm === (algorithm ?? kept.algorithm)
    const hash = usable ? kept : new RunningHash(algorithm ?? 'sha256')
    if (hash.size < size) await readOn(hash, file)
    this.keep(id, hash)
    return hash
  }

  #forgetIdle(): void {
    const oldest = this.#now() - this.#maxIdleMs
    for (const [id, { keptAt }] of this.#kept) {
      if (keptAt >= oldest) return
      this.#kept.delete(id)
    }
  }
}

async function readOn(hash: RunningHash, file: string): Promise<void> {
  const handle = await open(file)
  for await (const chunk of handle.createReadStream({ start: hash.size, highWaterMark: 1 << 20 })) hash.update(chunk)
}
