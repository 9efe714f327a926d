import { Readable } from 'node:stream'
import type { ImageName, Reference } from '../../registry/domain/names.ts'
import type { V1Image, V1ImageId } from '../../registry/domain/v1-image.ts'
import type { V1Images } from './v1-images.ts'
import { readV1Chain, readV1Layer } from './v1-chain.ts'

/** What an image of a source is by the V1 API. */
export interface V1Pushable {
  readonly top: V1ImageId
  /** The base image first. */
  steps(): Promise<readonly V1Step[]>
}

export interface V1Step {
  readonly image: V1Image
  /** Its layer as it is to be sent; it errs at the end when it is not what the source says. To be consumed or destroyed. */
  open(): Promise<Readable>
}

/** Undefined when the source has no such image. */
export type FindPushable = (image: ImageName, reference: Reference) => Promise<V1Pushable | undefined>

/** Images of the V1 API stay as they are. */
export function fromV1(v1: V1Images): FindPushable {
  return async (image, reference) => {
    const top = 'tag' in reference ? (await v1.tags(image))?.get(reference.tag) : undefined
    if (top === undefined) return undefined
    const step = (one: V1Image): V1Step => ({
      image: one,
      open: async () => Readable.from(readV1Layer(v1, image, one)),
    })
    return { top, steps: async () => (await readV1Chain(v1, image, top)).map(step) }
  }
}
