import type { Logger } from 'pino'
import { RegistryError } from '../../domain/errors.ts'
import { blobOf } from '../kept-blobs.ts'
import type { BlobHandle } from '../repository.ts'
import { UpstreamFailure, type UpstreamBlob } from '../upstream/upstream.ts'
import { Arrival } from './arrival.ts'
import { checkAnswer, guarded, receiveAll, wrong } from './blob-transfer.ts'
import { FetchedUpload, type FetchStorage, type Wanted } from './fetched-upload.ts'
import { GrowingBlob } from './growing-blob.ts'
import { SharedReader } from './shared-reader.ts'
import { isStorageFull } from './upstream-errors.ts'

export interface BlobSource {
  /** In bytes, where a manifest says it. */
  readonly expectedSize?: number | undefined
  /** See `Upstream.blob`. */
  open(offset: number): Promise<UpstreamBlob | undefined>
}

export interface FetchParts {
  readonly storage: FetchStorage
  readonly log: Logger
  readonly now: () => Date
  /** See `Transfer`. */
  readonly pausesMs: readonly number[]
}

/** One flight: a blob comes in from its upstream, whoever listens. What has come in when that fails is kept for the next. */
export class BlobFetch {
  readonly #parts: FetchParts
  readonly #wanted: Wanted
  readonly #source: BlobSource
  readonly #what: string
  readonly #ready = Promise.withResolvers<BlobHandle | undefined>()
  readonly #stopping = new AbortController()
  readonly #stopped = Promise.withResolvers<never>()
  readonly #opened = new AsyncDisposableStack()
  #arrival: Arrival | undefined

  constructor(parts: FetchParts, wanted: Wanted, source: BlobSource) {
    this.#parts = parts
    this.#wanted = wanted
    this.#source = source
    this.#what = `${wanted.digest} of ${wanted.of.repository}/${wanted.of.image}`
    // Whoever waits for them is told.
    this.#ready.promise.catch(() => {})
    this.#stopped.promise.catch(() => {})
  }

  /** As soon as the size is known, or else when all is here. Undefined when the upstream has no such blob. */
  get handle(): Promise<BlobHandle | undefined> {
    return this.#ready.promise
  }

  stop(): void {
    const reason = new RegistryError('UNAVAILABLE', { message: 'the registry is being stopped' })
    this.#stopped.reject(reason)
    this.#stopping.abort(reason)
  }

  /**
   * Never rejects: those who have, or wait for, the handle are told how it ends. `landing` is called just before, for whoever then
   * asks again.
   */
  async run(landing: () => void): Promise<void> {
    try {
      const handle = await this.#fetch()
      landing()
      this.#ready.resolve(handle)
    } catch (error) {
      landing()
      this.#parts.log.warn({ err: error, ...this.#wanted.of, digest: this.#wanted.digest }, 'a blob was not fetched')
      this.#arrival?.fail(error)
      this.#ready.reject(error)
    }
    await this.#opened.disposeAsync()
  }

  async #fetch(): Promise<BlobHandle | undefined> {
    const { blobs, metadata } = this.#parts.storage
    const { of, digest } = this.#wanted
    const found = await metadata.findBlob(of, digest) // it may have come in since the caller looked
    if (found) return { ...blobOf(blobs, digest, found.size), cache: { kind: 'hit' } }
    const kept = await FetchedUpload.find(this.#parts.storage, this.#wanted)
    if (!kept) return this.#start()
    try {
      return await this.#goOn(kept)
    } catch (error) {
      // It may be what was kept that is wrong, and that is discarded now.
      if (isWrong(error) && !this.#arrival) return this.#start()
      throw error
    }
  }

  async #start(): Promise<BlobHandle | undefined> {
    const answer = await this.#open(0)
    if (!answer) return undefined
    using _bytes = closing(answer)
    const size = this.#sizeOf(answer, 0)
    await this.#parts.storage.blobs.admit(size ?? 0)
    const upload = await FetchedUpload.begin(this.#parts.storage, this.#wanted)
    return await keepUseful(upload, () => this.#receive(upload, answer, size))
  }

  async #goOn(upload: FetchedUpload): Promise<BlobHandle | undefined> {
    return keepUseful(upload, async () => {
      if (await this.#isWhole(upload)) return this.#keptBlob(upload.size)
      const answer = await this.#open(upload.size)
      if (!answer) {
        await upload.discard()
        return undefined
      }
      using _bytes = closing(answer)
      const size = this.#sizeOf(answer, upload.size)
      await this.#parts.storage.blobs.admit((size ?? upload.size) - upload.size)
      return await this.#receive(upload, answer, size)
    })
  }

  /** Its process may have been killed when all was there. */
  async #isWhole(upload: FetchedUpload): Promise<boolean> {
    const { expectedSize } = this.#source
    if (expectedSize !== undefined && upload.size < expectedSize) return false
    try {
      await upload.finish()
      return true
    } catch (error) {
      if (!isDigestInvalid(error)) throw error
      if (expectedSize !== undefined) throw wrong(`${this.#what}: what came in has another digest`, error)
      return false
    }
  }

  async #open(offset: number): Promise<UpstreamBlob | undefined> {
    const opening = this.#source.open(offset).then(guarded)
    try {
      return await Promise.race([opening, this.#stopped.promise])
    } catch (error) {
      if (this.#stopping.signal.aborted) void opening.then((late) => late?.bytes.destroy()).catch(() => {})
      throw error
    }
  }

  #sizeOf(answer: UpstreamBlob, offset: number): number | undefined {
    const size = this.#source.expectedSize ?? answer.size
    checkAnswer(answer, offset, { what: this.#what, size })
    if (size !== undefined && offset > size) throw wrong(`${this.#what}: ${offset} bytes have come of ${size}`)
    return size
  }

  async #receive(upload: FetchedUpload, answer: UpstreamBlob, size: number | undefined): Promise<BlobHandle> {
    const started = this.#parts.now()
    const growing = size === undefined ? undefined : await this.#letRead(upload, size)
    const { log, pausesMs, now } = this.#parts
    const names = { ...this.#wanted.of, digest: this.#wanted.digest }
    await receiveAll(upload, answer, {
      what: this.#what,
      size,
      open: (offset) => this.#open(offset),
      received: (total) => this.#arrival?.receive(total),
      interrupted: (error, received) =>
        log.info({ err: error, ...names, received }, 'the transfer of a blob broke off and goes on'),
      pausesMs,
      now,
      signal: this.#stopping.signal,
    })
    await this.#finish(upload)
    this.#arrival?.complete()
    const seconds = (this.#parts.now().getTime() - started.getTime()) / 1000
    log.debug({ ...names, size: upload.size, seconds }, 'a blob was fetched')
    return growing ?? this.#keptBlob(upload.size)
  }

  async #letRead(upload: FetchedUpload, size: number): Promise<BlobHandle> {
    const { blobs } = this.#parts.storage
    const opened = await blobs.readUpload(upload.id)
    if (!opened) throw new RegistryError('BLOB_UPLOAD_UNKNOWN', { detail: { upload: upload.id } })
    const reader = new SharedReader(opened)
    this.#opened.use(reader.use())
    const arrival = new Arrival(size, upload.size)
    const path = blobs.uploadPath(upload.id)
    const growing = new GrowingBlob(blobs, this.#wanted.digest, { arrival, reader, path })
    this.#arrival = arrival
    this.#ready.resolve(growing)
    return growing
  }

  async #finish(upload: FetchedUpload): Promise<void> {
    try {
      await upload.finish(() => this.#arrival?.verify())
    } catch (error) {
      throw isDigestInvalid(error) ? wrong(`${this.#what}: what came in has another digest`, error) : error
    }
  }

  #keptBlob(size: number): BlobHandle {
    return { ...blobOf(this.#parts.storage.blobs, this.#wanted.digest, size), cache: { kind: 'miss' } }
  }
}

/** What can never become the blob goes, and on a full disk everything that is not needed. The rest is for the next fetch. */
async function keepUseful<result>(upload: FetchedUpload, work: () => Promise<result>): Promise<result> {
  using _upload = upload
  try {
    return await work()
  } catch (error) {
    if (isWrong(error) || isStorageFull(error)) await upload.discard()
    throw error
  }
}

function closing({ bytes }: UpstreamBlob): Disposable {
  return { [Symbol.dispose]: () => void bytes.destroy() }
}

function isWrong(error: unknown): boolean {
  return error instanceof UpstreamFailure && error.kind === 'wrong'
}

function isDigestInvalid(error: unknown): boolean {
  return error instanceof RegistryError && error.code === 'DIGEST_INVALID'
}
