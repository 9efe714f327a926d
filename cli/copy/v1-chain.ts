import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { ImageName } from '../../registry/domain/names.ts'
import { parseV1Image, type V1Image, type V1ImageId } from '../../registry/domain/v1-image.ts'
import type { V1Images } from './v1-images.ts'

/** docker stops at 127 layers. */
const maxAncestors = 1024

/** The base image first. By what each image says of its parent: lists of ancestors are made from that. */
export async function readV1Chain(v1: V1Images, image: ImageName, top: V1ImageId): Promise<readonly V1Image[]> {
  const chain: V1Image[] = []
  for (let id: V1ImageId | undefined = top; id !== undefined;) {
    const json: Uint8Array | undefined = await v1.json(image, id)
    if (!json) throw new Error(`the source has no image ${id}`)
    const one: V1Image = parseV1Image(json)
    if (one.id !== id) throw new Error(`the source's image ${id} says that it is ${one.id}`)
    chain.unshift(one)
    if (chain.length > maxAncestors) throw new Error(`the image ${top} has more than ${maxAncestors} ancestors`)
    id = one.parent
  }
  return chain
}

export async function openV1Layer(v1: V1Images, image: ImageName, { id }: V1Image): Promise<Readable> {
  const layer = await v1.layer(image, id)
  if (layer) return layer
  throw new Error(`the source has no layer of the image ${id}`)
}

/** Passes the bytes of its layer on, and throws at their end unless they are what the source has a checksum of. */
export async function* checkedV1Layer<chunk extends Uint8Array>(
  v1: V1Images,
  image: ImageName,
  { id, json }: V1Image,
  bytes: AsyncIterable<chunk>,
): AsyncGenerator<chunk> {
  const checksums = (await v1.checksums(image, id)).filter((text) => /^sha256:[0-9a-f]{64}$/.test(text))
  const hash = createHash('sha256').update(json).update('\n')
  for await (const chunk of bytes) {
    hash.update(chunk)
    yield chunk
  }
  const actual = `sha256:${hash.digest('hex')}`
  if (checksums.length > 0 && !checksums.includes(actual))
    throw new Error(`the source's image ${id} is corrupt: JSON and layer are ${actual}, not ${checksums.join(' or ')}`)
}

/** Opened when the first byte is asked for. */
export async function* readV1Layer(v1: V1Images, image: ImageName, one: V1Image): AsyncGenerator<Uint8Array> {
  yield* checkedV1Layer(v1, image, one, (await openV1Layer(v1, image, one)) as AsyncIterable<Uint8Array>)
}
