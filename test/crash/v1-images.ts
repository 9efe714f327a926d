import { payloadSum, v1Image, type V1TestImage } from '../helpers/v1-client.ts'

/** An image of the V1 API with all that it is built on. */
export interface KnownV1Image extends V1TestImage {
  readonly parent: KnownV1Image | undefined
}

const layerSizes = [300, 70_000, 300_000]

/** Two base images, and one on each of them, which all others share. */
const roots = ['a', 'b'].map((name) => known(`root ${name}`, undefined, layerOf(`root ${name}`, 300_000)))
const middles = roots.map((root, number) => known(`middle ${number}`, root, layerOf('both middles', 5_000)))

/** The image of this number, which is always the same. Two after each other have the same layer. */
export function v1ImageOfNumber(number: number): KnownV1Image {
  const pair = number >> 1
  const size = layerSizes[pair % layerSizes.length] ?? 1
  return known(`top ${number}`, middles[number % middles.length], layerOf(`tops ${pair}`, size))
}

export function v1ChildOf(parent: KnownV1Image): KnownV1Image {
  return known(`child of ${parent.id}`, parent, layerOf(`child of ${parent.id}`, 5_000))
}

/** The base image first, this one last: the order in which they are pushed. */
export function v1ChainOf(image: KnownV1Image): readonly KnownV1Image[] {
  return image.parent ? [...v1ChainOf(image.parent), image] : [image]
}

function layerOf(name: string, size: number): Buffer {
  return Buffer.alloc(size, `layer of ${name} `)
}

function known(name: string, parent: KnownV1Image | undefined, layer: Buffer): KnownV1Image {
  const { id, json } = v1Image(name, parent)
  return { id, json, layer, payload: payloadSum(json, layer), parent }
}
