import { createHash } from 'node:crypto'
import { digestOf, type Digest } from '../../domain/digest.ts'

export interface TarSums {
  readonly v0: string
  readonly v1: string
}

export interface LayerSums {
  readonly payload: Digest
  readonly tarsums: TarSums | undefined
}

/** The sums of a layer and the JSON of its image, while the bytes are on their way. */
export class LayerChecksums {
  readonly #payload = createHash('sha256')

  constructor(json: Uint8Array) {
    this.#payload.update(json).update('\n')
  }

  async *watch(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      this.#payload.update(chunk)
      yield chunk
    }
  }

  async finish(): Promise<LayerSums> {
    return { payload: digestOf('sha256', this.#payload.digest('hex')), tarsums: undefined }
  }
}
