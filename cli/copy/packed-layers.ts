import { hash, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, open, readFile, rename, rm, writeFile, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { encodedOf, isDigest, type Digest } from '../../registry/domain/digest.ts'
import { isObject, parseJson } from '../../registry/domain/json.ts'
import { anywhere, createLayerGzip, hashing, packingOf, unpacker } from '../../registry/storage/layer-bytes.ts'
import { RunningHash } from '../../registry/storage/running-hashes.ts'
import type { SourceBlob } from './source.ts'

/** A layer in gzip, as every client can read it. */
export interface PackedLayer {
  readonly digest: Digest
  readonly size: number
  /** Digest of the layer without its compression. */
  readonly diffId: Digest
}

/** Where a layer comes from. */
export interface RawLayer {
  /** The same for the same bytes, for ever. */
  readonly key: string
  open(): Promise<Readable>
  /** Sees all bytes as they came, and throws when they are not right. */
  readonly check?: ((bytes: AsyncIterable<Buffer>) => AsyncIterable<Buffer>) | undefined
}

/**
 * Layers of images that have to be read before it is known what they are called. A file lies in the directory until it has been read;
 * then the layer is packed again if somebody wants it after all. What a layer is called is kept in the directory, for the next run.
 */
export class PackedLayers implements AsyncDisposable {
  readonly directory: string
  readonly #isOurs: boolean
  readonly #layers = new Map<string, Promise<PackedLayer>>()
  readonly #raw = new Map<Digest, RawLayer>()

  private constructor(directory: string, isOurs: boolean) {
    this.directory = directory
    this.#isOurs = isOurs
  }

  /** `directory` is kept; without one there is a temporary one that goes. */
  static async open(directory: string | undefined): Promise<PackedLayers> {
    if (directory === undefined) return new PackedLayers(await mkdtemp(join(tmpdir(), 'caisson-copy-')), true)
    await mkdir(directory, { recursive: true, mode: 0o700 })
    return new PackedLayers(directory, false)
  }

  async pack(raw: RawLayer): Promise<PackedLayer> {
    const running = this.#layers.get(raw.key)
    if (running) return await running
    const packing = this.#recall(raw).then(async (known) => known ?? (await this.#pack(raw)))
    this.#layers.set(raw.key, packing)
    const packed = await packing.catch((error: unknown) => {
      this.#layers.delete(raw.key)
      throw error
    })
    this.#raw.set(packed.digest, raw)
    return packed
  }

  /** Undefined for what nobody has packed. */
  async open(digest: Digest): Promise<SourceBlob | undefined> {
    const raw = this.#raw.get(digest)
    if (!raw) return undefined
    const file = this.#fileOf(digest)
    // Another one who has read it may remove it meanwhile: what is open stays.
    const handle = (await openIfThere(file)) ?? (await this.#packTo(file, raw))
    const { size } = await handle.stat()
    const bytes = handle.createReadStream({ highWaterMark: 1 << 18 })
    bytes.once('end', () => void rm(file, { force: true }))
    return { size, bytes }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOurs) await rm(this.directory, { recursive: true, force: true })
  }

  async #packTo(file: string, raw: RawLayer): Promise<FileHandle> {
    await this.#pack(raw)
    return await open(file)
  }

  async #pack(raw: RawLayer): Promise<PackedLayer> {
    const part = join(this.directory, `${randomUUID()}.part`)
    try {
      const asCame = new RunningHash('sha256')
      await pipeline(await raw.open(), raw.check ?? same, hashing(asCame), createWriteStream(part, { mode: 0o600 }))
      const packed = await this.#packFile(part, asCame)
      await writeFile(this.#noteOf(raw.key), JSON.stringify(packed), { mode: 0o600 })
      return packed
    } finally {
      await rm(part, { force: true })
    }
  }

  async #packFile(part: string, asCame: RunningHash): Promise<PackedLayer> {
    const blobs = { open: async (_digest: Digest, range?: { first: number; last: number }) => readFrom(part, range) }
    const packing = await packingOf(blobs, { digest: asCame.digest(), size: asCame.size })
    const plain = new RunningHash('sha256')
    if (packing === 'gzip') {
      await pipeline(readFrom(part), unpacker(packing), hashing(plain), drain)
      await rename(part, this.#fileOf(asCame.digest()))
      return { digest: asCame.digest(), size: asCame.size, diffId: plain.digest() }
    }
    const inGzip = new RunningHash('sha256')
    const other = `${part}.gz`
    try {
      await pipeline(
        readFrom(part),
        unpacker(packing),
        hashing(plain),
        createLayerGzip(),
        anywhere,
        hashing(inGzip),
        createWriteStream(other, { mode: 0o600 }),
      )
      await rename(other, this.#fileOf(inGzip.digest()))
    } finally {
      await rm(other, { force: true })
    }
    return { digest: inGzip.digest(), size: inGzip.size, diffId: plain.digest() }
  }

  async #recall({ key }: RawLayer): Promise<PackedLayer | undefined> {
    if (this.#isOurs) return undefined
    const note = await readFile(this.#noteOf(key)).catch(() => undefined)
    const parsed = note && parseJson(note)
    const { digest, size, diffId } = parsed && 'value' in parsed && isObject(parsed.value) ? parsed.value : {}
    const isRight =
      typeof digest === 'string' &&
      typeof diffId === 'string' &&
      isDigest(digest) &&
      isDigest(diffId) &&
      Number(size) >= 0
    return isRight ? { digest, size: Number(size), diffId } : undefined
  }

  #fileOf(digest: Digest): string {
    return join(this.directory, encodedOf(digest))
  }

  #noteOf(key: string): string {
    return join(this.directory, `${hash('sha256', key, 'hex')}.json`)
  }
}

function readFrom(file: string, range?: { readonly first: number; readonly last: number }): Readable {
  return createReadStream(file, { highWaterMark: 1 << 18, ...(range && { start: range.first, end: range.last }) })
}

async function openIfThere(file: string): Promise<FileHandle | undefined> {
  return await open(file).catch(() => undefined)
}

function same(bytes: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  return bytes
}

async function drain(chunks: AsyncIterable<Buffer>): Promise<void> {
  for await (const _chunk of chunks) continue
}
