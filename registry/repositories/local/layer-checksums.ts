import { createHash, type Hash } from 'node:crypto'
import { digestOf, type Digest } from '../../domain/digest.ts'
import { tarSumsOf, type TarSums } from './tarsum.ts'
import { uncompressed } from './uncompressed.ts'

/** What V1 clients send in `X-Docker-Checksum-Payload` and `X-Docker-Checksum`, as it should be. */
export interface LayerSums {
  /** Of the JSON of the image, a newline and the layer as it came. */
  readonly payload: Digest
  /**
   * Undefined when nothing can be compared: the layer is no tar, or compressed in another way than by gzip or zstd, or very large.
   */
  readonly tarsums: TarSums | undefined
}

/** Reads along while a layer of the V1 API comes in: its bytes as they are, and, beside them, uncompressed. */
export class LayerChecksums {
  readonly #json: Uint8Array
  readonly #payload: Hash
  #tarsums: Promise<TarSums | undefined> = Promise.resolve(undefined)

  /** Of an image with these bytes as its JSON. */
  constructor(json: Uint8Array) {
    this.#json = json
    this.#payload = createHash('sha256').update(json).update('\n')
  }

  /** The same bytes; no faster than the checksums are made. Once. */
  async *watch(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const beside = writable.getWriter()
    // Until the archive is read to its end, or cannot be read.
    let isWanted = true
    const enough = (): void => void (isWanted = false)
    this.#tarsums = ofWhateverThisIs(tarSumsOf(this.#json, uncompressed(readable)))
    try {
      for await (const chunk of bytes) {
        this.#payload.update(chunk)
        if (isWanted) await beside.write(chunk).catch(enough)
        yield chunk
      }
      await beside.close().catch(enough)
    } finally {
      // Where the bytes break off, or nobody wants them any more, there is nothing to sum up.
      await beside.abort().catch(enough)
    }
  }

  /** After the last byte, once. */
  async finish(): Promise<LayerSums> {
    return { payload: digestOf('sha256', this.#payload.digest('hex')), tarsums: await this.#tarsums }
  }
}

async function ofWhateverThisIs(sums: Promise<TarSums | undefined>): Promise<TarSums | undefined> {
  try {
    return await sums
  } catch {
    // No layer is refused for what is in it.
    return undefined
  }
}
